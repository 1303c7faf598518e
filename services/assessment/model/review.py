"""The review, and how each external stage is concluded: what is still missing for it, and what the stage leaves
behind."""

from collections.abc import Mapping
from datetime import datetime

from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2, verification_pb2

from chassis.errors import Violation, denied, invalid, invalid_field, precondition
from instruments.scoring import Scorer
from services.assessment.model import assessors, cycle, objections, self_assessment
from services.assessment.model.cycle import Outcome

Evaluation = evaluation_pb2.Evaluation
Dossier = cycle_pb2.Dossier
_REVIEW = evaluation_pb2.STAGE_REVIEW
_CONCLUDED_HERE = (*cycle.ASSESSED, _REVIEW)
_INVALID = cycle_pb2.VERDICT_NOT_VALID


def save_verdicts(
    evaluation: Evaluation,
    dossier: Dossier,
    request: verification_pb2.SaveVerdictsRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """Valid, or Tidak Valid with a note; nobody reviews what they have assessed."""
    cycle.require_stage(evaluation, _REVIEW, request.etag)
    if actor in {one.assessor for one in dossier.assessments}:
        raise denied("OWN_ASSESSMENT", f"{actor} has assessed {evaluation.id} and cannot review it")
    _require_verdicts(request, cycle.values_of(evaluation), scorer)
    known = {one.indicator: one for one in dossier.verdicts}
    items = {}
    for given in request.verdicts:
        before = known.get(given.indicator)
        items[given.indicator] = (_named(before), _named(given))
        verdict = cycle_pb2.ReviewVerdict()
        verdict.CopyFrom(given)
        verdict.reviewed_by = actor
        verdict.review_time.FromDatetime(now)
        known[given.indicator] = verdict
    ordered = [known[code] for code in scorer.ordered(known)]
    del dossier.verdicts[:]
    dossier.verdicts.extend(ordered)
    self_assessment.require_size(dossier)
    cycle.advance(evaluation)
    fact = events_pb2.VerdictsSaved(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        valid=[one.indicator for one in request.verdicts if one.verdict != _INVALID],
        not_valid=[one.indicator for one in request.verdicts if one.verdict == _INVALID],
    )
    return Outcome((fact,), cycle.change(evaluation, "reviewed", items, actor, now))


def conclude(
    evaluation: Evaluation,
    dossier: Dossier,
    request: verification_pb2.ConcludeStageRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """Ends the stage; FAILED_PRECONDITION names everything that is missing."""
    if request.stage not in _CONCLUDED_HERE:
        raise invalid_field("stage", f"the {cycle.stage_name(request.stage)} stage has a method of its own")
    cycle.require_stage(evaluation, request.stage, request.etag)
    found = assessors.by_indicator(dossier, request.stage)
    _require_decisions(request, found, scorer)
    _require_visit(evaluation, request, scorer)
    missing = [*_missing(evaluation, dossier, request), *_undecided(request, found, scorer)]
    if not request.force:
        missing += _unheard(evaluation, dossier, request.stage, actor)
    if missing:
        message = f"the {cycle.stage_name(request.stage)} stage cannot be concluded yet"
        raise precondition("INCOMPLETE", message, missing)
    if request.HasField("visit"):
        evaluation.visit.CopyFrom(request.visit)
    values = _values(request, dossier, found, scorer, actor)
    fact = cycle.conclude(evaluation, values, scorer, actor, now, remark=request.remark)
    self_assessment.require_size(evaluation, most=self_assessment.LARGEST_AT_THE_END)
    more = [_asked(evaluation)] if request.HasField("visit") else []
    return self_assessment.concluded(evaluation, fact, actor, now, *more, reason=request.remark)


def _missing(
    evaluation: Evaluation, dossier: Dossier, request: verification_pb2.ConcludeStageRequest
) -> list[Violation]:
    if request.stage == _REVIEW:
        verdicts = {one.indicator: one for one in dossier.verdicts}
        values = cycle.values_of(evaluation)
        missing = [Violation(f"verdicts[{code}]", "is not reviewed yet") for code in values if code not in verdicts]
        return missing + [
            Violation(f"verdicts[{one.indicator}]", "is Tidak Valid and not set right yet")
            for one in dossier.verdicts
            if one.verdict == _INVALID and not one.value
        ]
    missing = []
    if not any(one.duty == evaluation_pb2.DUTY_ASSESS for one in evaluation.assessors):
        missing.append(Violation("assessors", "nobody is assigned to assess"))
    if request.stage == evaluation_pb2.STAGE_INTERVIEW:
        missing += [Violation(f"objections[{c}]", "has no answer yet") for c in objections.unanswered(dossier)]
    return missing


def _unheard(evaluation: Evaluation, dossier: Dossier, stage: cycle.Stage, actor: str) -> list[Violation]:
    """Who is assigned to assess and has said nothing in the stage: another's end of it would be theirs too. Whoever
    ends it has said enough by that."""
    if stage not in cycle.ASSESSED:
        return []
    heard = {one.assessor for one in assessors.of_stage(dossier, stage)} | {actor}
    if stage == evaluation_pb2.STAGE_INTERVIEW:
        heard |= {one.answer.answered_by for one in dossier.objections}
    return [
        Violation(f"assessors[{one.assessor}]", "has saved nothing in this stage yet; with force it ends without them")
        for one in evaluation.assessors
        if one.duty == evaluation_pb2.DUTY_ASSESS and one.assessor not in heard
    ]


def _undecided(
    request: verification_pb2.ConcludeStageRequest, found: Mapping[str, list[cycle_pb2.Assessment]], scorer: Scorer
) -> list[Violation]:
    decided = {one.indicator for one in request.decisions}
    return [
        Violation(
            f"decisions[{item}]",
            "assessors differ: " + ", ".join(f"{one.assessor} {one.value}" for one in found[item]) + "; decide",
        )
        for item in scorer.ordered(found)
        if assessors.differ(found[item]) and item not in decided
    ]


def _values(
    request: verification_pb2.ConcludeStageRequest,
    dossier: Dossier,
    found: Mapping[str, list[cycle_pb2.Assessment]],
    scorer: Scorer,
    actor: str,
) -> list[evaluation_pb2.StageValue]:
    """What the stage sets itself, in the instrument's order: agreed, decided, or set right by the reviewer."""
    values = {}
    for item, assessments in found.items():
        # The last note of those who agree stands for all; each one's own stays in the dossier.
        values[item] = evaluation_pb2.StageValue(
            indicator=item,
            value=assessments[-1].value,
            note=assessments[-1].note,
            set_by=[one.assessor for one in assessments],
        )
    for one in request.decisions:
        note = evaluation_pb2.AssessorNote(justification=one.justification)
        values[one.indicator] = evaluation_pb2.StageValue(
            indicator=one.indicator, value=one.value, note=note, set_by=[actor]
        )
    if request.stage == _REVIEW:
        for verdict in dossier.verdicts:
            if verdict.verdict == _INVALID:
                note = evaluation_pb2.AssessorNote(justification=verdict.note)
                values[verdict.indicator] = evaluation_pb2.StageValue(
                    indicator=verdict.indicator, value=verdict.value, note=note, set_by=[verdict.reviewed_by]
                )
    return [values[item] for item in scorer.ordered(values)]


def _require_verdicts(request: verification_pb2.SaveVerdictsRequest, values: Mapping[str, str], scorer: Scorer) -> None:
    faults, seen = [], set()
    for i, one in enumerate(request.verdicts):
        place = f"verdicts[{i}]"
        if one.indicator in seen:
            faults.append(Violation(f"{place}.indicator", f"{one.indicator} is named twice"))
        seen.add(one.indicator)
        if one.indicator not in values:
            faults.append(Violation(f"{place}.indicator", f"{one.indicator} has no value here"))
        elif one.value:
            faults += [Violation(f"{place}.value", reason) for _, reason in scorer.check({one.indicator: one.value})]
        if one.verdict == _INVALID and not one.note.strip():
            faults.append(Violation(f"{place}.note", "is compulsory for Tidak Valid"))
        if one.verdict == cycle_pb2.VERDICT_VALID and one.value:
            faults.append(Violation(f"{place}.value", "is for Tidak Valid only"))
    if faults:
        raise invalid(faults)


def _require_decisions(
    request: verification_pb2.ConcludeStageRequest, found: Mapping[str, list[cycle_pb2.Assessment]], scorer: Scorer
) -> None:
    self_assessment.require_levels("decisions", request.decisions, scorer)
    faults = [
        Violation(f"decisions[{i}].indicator", f"{one.indicator}: nobody has assessed it in this stage")
        for i, one in enumerate(request.decisions)
        if one.indicator not in found
    ]
    if faults:
        raise invalid(faults)


def _require_visit(evaluation: Evaluation, request: verification_pb2.ConcludeStageRequest, scorer: Scorer) -> None:
    if not request.HasField("visit"):
        return
    if request.stage not in (evaluation_pb2.STAGE_DOCUMENT, evaluation_pb2.STAGE_INTERVIEW):
        raise invalid_field("visit", "is asked for at the end of the document or interview stage")
    if evaluation_pb2.STAGE_VISIT not in cycle.planned(evaluation):
        raise invalid_field("visit", "the cycle of this evaluation has no visit stage")
    values = cycle.values_of(evaluation)
    faults = [
        Violation(f"visit.indicators[{i}]", f"{code} has no value here")
        for i, code in enumerate(request.visit.indicators)
        if code not in values
    ]
    if faults:
        raise invalid(faults)


def _asked(evaluation: Evaluation) -> events_pb2.VisitAsked:
    return events_pb2.VisitAsked(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        indicators=evaluation.visit.indicators,
        reason=evaluation.visit.reason,
    )


def _named(verdict: cycle_pb2.ReviewVerdict | None) -> str:
    if verdict is None:
        return ""
    return "Tidak Valid" if verdict.verdict == _INVALID else "Valid"
