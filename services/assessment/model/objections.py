"""Sanggah: an institution objects to values of the document stage, assessors answer."""

from datetime import datetime

from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2, verification_pb2

from chassis.errors import Violation, precondition
from instruments.scoring import Scorer
from services.assessment.model import assessors, cycle, self_assessment
from services.assessment.model.cycle import Outcome

Evaluation = evaluation_pb2.Evaluation


def raise_objections(
    evaluation: Evaluation,
    dossier: cycle_pb2.Dossier,
    request: verification_pb2.RaiseObjectionsRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """One objection an indicator; until it is answered it can be raised again with other words."""
    cycle.require_stage(evaluation, evaluation_pb2.STAGE_INTERVIEW, request.etag)
    wanted = [cycle_pb2.Level(indicator=one.indicator, value=one.wanted_value) for one in request.objections]
    values = cycle.values_of(evaluation)
    self_assessment.require_levels("objections", wanted, scorer, most=values)
    known = {one.indicator: one for one in dossier.objections}
    answered = [code for code in (one.indicator for one in wanted) if code in known and known[code].HasField("answer")]
    if answered:
        faults = [Violation(f"objections[{code}]", "is answered already") for code in answered]
        raise precondition("ANSWERED", "what was answered cannot be objected to again", faults)
    for given in request.objections:
        objection = cycle_pb2.Objection(
            indicator=given.indicator, wanted_value=given.wanted_value, reason=given.reason, raised_by=actor
        )
        objection.raise_time.FromDatetime(now)
        known[given.indicator] = objection
    _replace(dossier, known, scorer)
    self_assessment.require_size(dossier)
    cycle.advance(evaluation)
    fact = events_pb2.ObjectionsRaised(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        indicators=[one.indicator for one in wanted],
    )
    items = {one.indicator: (values.get(one.indicator, ""), one.value) for one in wanted}
    return Outcome((fact,), cycle.change(evaluation, "objected", items, actor, now))


def answer_objections(
    evaluation: Evaluation,
    dossier: cycle_pb2.Dossier,
    request: verification_pb2.AnswerObjectionsRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """An accepted objection is the assessor's own value in the interview stage as well."""
    cycle.require_stage(evaluation, evaluation_pb2.STAGE_INTERVIEW, request.etag)
    known = {one.indicator: one for one in dossier.objections}
    _require_raised(request, known)
    levels = [
        cycle_pb2.Level(indicator=one.indicator, value=one.value or known[one.indicator].wanted_value)
        for one in request.answers
    ]
    self_assessment.require_levels("answers", levels, scorer)
    for given in request.answers:
        answer = known[given.indicator].answer
        answer.CopyFrom(given)
        answer.answered_by = actor
        answer.answer_time.FromDatetime(now)
    accepted = [one for one in request.answers if one.outcome == cycle_pb2.OBJECTION_OUTCOME_ACCEPTED]
    taken = {one.indicator: one.value for one in levels}
    notes = [
        (one.indicator, taken[one.indicator], evaluation_pb2.AssessorNote(justification=one.explanation))
        for one in accepted
    ]
    assessors.keep(dossier, evaluation_pb2.STAGE_INTERVIEW, actor, notes, now)
    _replace(dossier, known, scorer)
    self_assessment.require_size(dossier)
    cycle.advance(evaluation)
    fact = events_pb2.ObjectionsAnswered(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        accepted=[one.indicator for one in accepted],
        rejected=[one.indicator for one in request.answers if one not in accepted],
    )
    items = {one.indicator: ("", "accepted" if one in accepted else "rejected") for one in request.answers}
    return Outcome((fact,), cycle.change(evaluation, "answered an objection", items, actor, now))


def unanswered(dossier: cycle_pb2.Dossier) -> list[str]:
    """Indicators whose objection waits for an answer."""
    return [one.indicator for one in dossier.objections if not one.HasField("answer")]


def _require_raised(request: verification_pb2.AnswerObjectionsRequest, known: dict[str, cycle_pb2.Objection]) -> None:
    none = [one.indicator for one in request.answers if one.indicator not in known]
    if none:
        faults = [Violation(f"objections[{code}]", "was not raised") for code in none]
        raise precondition("NO_OBJECTION", "there is nothing to answer", faults)


def _replace(dossier: cycle_pb2.Dossier, known: dict[str, cycle_pb2.Objection], scorer: Scorer) -> None:
    ordered = [known[code] for code in scorer.ordered(known)]
    del dossier.objections[:]
    dossier.objections.extend(ordered)
