"""Determination by decree, publication, which freezes, and corrections, each a new revision with its reason."""

import re
from datetime import datetime
from decimal import Decimal

from livinglab.assessment.v1 import evaluation_pb2, events_pb2, verification_pb2

from chassis.errors import Violation, invalid, invalid_field, precondition
from instruments.scoring import Scorer
from services.assessment.model import cycle, self_assessment
from services.assessment.model.cycle import Outcome

Evaluation = evaluation_pb2.Evaluation
_PUBLISHED = evaluation_pb2.EVALUATION_STATE_PUBLISHED
_TWO_DIGITS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


def determine(
    evaluation: Evaluation,
    request: verification_pb2.DetermineEvaluationRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """The values stand as they are, by decree."""
    cycle.require_stage(evaluation, evaluation_pb2.STAGE_DETERMINATION, request.etag)
    evaluation.determination.CopyFrom(request.determination)
    result = cycle.conclude(evaluation, (), scorer, actor, now)
    fact = events_pb2.EvaluationDetermined(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        decree=request.determination.decree,
        decree_date=request.determination.decree_date,
    )
    return self_assessment.concluded(evaluation, result, actor, now, fact, reason=request.determination.decree)


def publish(
    evaluation: Evaluation,
    request: verification_pb2.PublishEvaluationRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """The result is out; from here on only corrections."""
    cycle.require_stage(evaluation, evaluation_pb2.STAGE_PUBLICATION, request.etag)
    _require_index(request.published_index, scorer)
    return _out(evaluation, (), request.published_index, scorer, actor, now, "")


def correct(
    evaluation: Evaluation,
    request: verification_pb2.CorrectEvaluationRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """A new revision; what was published before stays in the results."""
    cycle.require_current(evaluation, request.etag)
    if evaluation.state != _PUBLISHED:
        raise precondition("NOT_PUBLISHED", f"evaluation {evaluation.id} is not published: there is nothing to correct")
    if not request.reason.strip():
        raise invalid_field("reason", "is required")
    before = cycle.values_of(evaluation)
    self_assessment.require_levels("values", request.values, scorer, most=before)
    _require_index(request.published_index, scorer)
    changed = {
        one.indicator: (before.get(one.indicator, ""), one.value)
        for one in request.values
        if one.indicator not in before or Decimal(before[one.indicator]) != Decimal(one.value)
    }
    if not changed and request.published_index in ("", evaluation.published_index):
        raise invalid([Violation("values", "change nothing"), Violation("published_index", "changes nothing")])
    values = [
        evaluation_pb2.StageValue(indicator=item, value=changed[item][1], set_by=[actor])
        for item in scorer.ordered(changed)
    ]
    kept = request.published_index or ("" if changed else evaluation.published_index)
    outcome = _out(evaluation, values, kept, scorer, actor, now, request.reason)
    outcome.change.action = "corrected"
    for item, (old, new) in changed.items():
        outcome.change.items.add(subject=item, **{"from": old, "to": new})
    return outcome


def _out(
    evaluation: Evaluation,
    values: tuple[()] | list[evaluation_pb2.StageValue],
    published: str,
    scorer: Scorer,
    actor: str,
    now: datetime,
    reason: str,
) -> Outcome:
    result = cycle.conclude(evaluation, values, scorer, actor, now, remark=reason)
    evaluation.state = _PUBLISHED
    evaluation.revision += 1
    evaluation.results[-1].revision = evaluation.revision
    evaluation.published_index = f"{Decimal(published or evaluation.score.index):.2f}"
    self_assessment.require_size(evaluation, most=self_assessment.LARGEST_AT_THE_END)
    fact = events_pb2.EvaluationPublished(
        meta=result.meta,
        institution=result.institution,
        evaluation_id=result.evaluation_id,
        instrument=result.instrument,
        instrument_version=result.instrument_version,
        period=result.period,
        stage=result.stage,
        score=result.score,
        values=result.values,
        not_applicable=result.not_applicable,
        published=evaluation.published_index,
        computed=evaluation.score.index,
        revision=evaluation.revision,
        reason=reason,
    )
    return self_assessment.concluded(evaluation, fact, actor, now, reason=reason)


def _require_index(text: str, scorer: Scorer) -> None:
    if text and not _TWO_DIGITS.fullmatch(text):
        raise invalid_field("published_index", "has at most two digits after the point")
    if text and not scorer.lowest <= Decimal(text) <= scorer.highest:
        raise invalid_field("published_index", f"is outside the scale, {scorer.lowest} to {scorer.highest}")


def for_public(evaluation: Evaluation) -> Evaluation:
    """What everybody may see of a published evaluation: values and results, no notes, no names of persons."""
    shown = Evaluation()
    shown.CopyFrom(evaluation)
    del shown.assessors[:]
    del shown.delegations[:]
    shown.ClearField("visit")
    for answer in shown.answers:
        answer.ClearField("note")
        answer.ClearField("answered_by")
        answer.ClearField("met")
    for result in shown.results:
        for field in ("concluded_by", "remark"):
            if not (field == "remark" and result.revision):
                result.ClearField(field)
        for value in result.values:
            value.ClearField("note")
            value.ClearField("set_by")
    return shown
