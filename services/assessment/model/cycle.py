"""The course of an evaluation as a state machine: which stage may follow which, and what a stage takes over from the
one before.

Everything that writes to an evaluation passes `require_stage`, so no path can skip a stage, and `advance`, so each
write gives it a new version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import TypeAlias

from google.protobuf.message import Message
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, Violation, conflict, precondition
from instruments.scoring import Scorer

Stage: TypeAlias = evaluation_pb2.Stage.ValueType
Concluded: TypeAlias = events_pb2.EvaluationSubmitted | events_pb2.StageConcluded

ORDER: tuple[Stage, ...] = (
    evaluation_pb2.STAGE_SELF_ASSESSMENT,
    evaluation_pb2.STAGE_DOCUMENT,
    evaluation_pb2.STAGE_INTERVIEW,
    evaluation_pb2.STAGE_VISIT,
    evaluation_pb2.STAGE_REVIEW,
    evaluation_pb2.STAGE_DETERMINATION,
    evaluation_pb2.STAGE_PUBLICATION,
)
# The stages whose values come from assessors.
ASSESSED = ORDER[1:4]
# Due dates are days of the capital.
_WIB = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision has led to: the facts to publish, and the entry in the evaluation's history."""

    facts: tuple[Message, ...]
    change: cycle_pb2.Change


def stage_name(stage: Stage) -> str:
    """self-assessment, document ..."""
    return evaluation_pb2.Stage.Name(stage).removeprefix("STAGE_").lower().replace("_", "-")


def standard() -> list[evaluation_pb2.CycleStage]:
    """All stages, without due dates: what holds where no cycle was set."""
    return [evaluation_pb2.CycleStage(stage=stage) for stage in ORDER]


def faults(stages: Sequence[evaluation_pb2.CycleStage]) -> list[Violation]:
    """What keeps these stages from being a course."""
    found = []
    if stages and stages[0].stage != evaluation_pb2.STAGE_SELF_ASSESSMENT:
        found.append(Violation("cycle.stages[0].stage", "the first stage is the self-assessment"))
    for n, (before, after) in enumerate(pairwise(stages), start=1):
        place = f"cycle.stages[{n}]"
        if after.stage <= before.stage:
            found.append(
                Violation(f"{place}.stage", f"{stage_name(after.stage)} comes before or twice: keep the order")
            )
        if before.due_date and after.due_date and after.due_date < before.due_date:
            found.append(Violation(f"{place}.due_date", f"is before that of the {stage_name(before.stage)} stage"))
    named = {one.stage for one in stages}
    needed = {
        evaluation_pb2.STAGE_INTERVIEW: evaluation_pb2.STAGE_DOCUMENT,
        evaluation_pb2.STAGE_VISIT: evaluation_pb2.STAGE_DOCUMENT,
        evaluation_pb2.STAGE_PUBLICATION: evaluation_pb2.STAGE_DETERMINATION,
    }
    found += [
        Violation("cycle.stages", f"{stage_name(stage)} needs the {stage_name(before)} stage before it")
        for stage, before in needed.items()
        if stage in named and before not in named
    ]
    return found


def planned(evaluation: evaluation_pb2.Evaluation) -> list[Stage]:
    """The stages of its cycle."""
    return [one.stage for one in evaluation.cycle] or list(ORDER)


def stages_of(evaluation: evaluation_pb2.Evaluation) -> list[Stage]:
    """The stages that it goes through as things are: a visit only where it was asked for."""
    return [
        stage for stage in planned(evaluation) if stage != evaluation_pb2.STAGE_VISIT or evaluation.HasField("visit")
    ]


def next_stage(evaluation: evaluation_pb2.Evaluation) -> Stage:
    """The stage that may begin now; unspecified while one is open, and at the end."""
    if evaluation.state != evaluation_pb2.EVALUATION_STATE_SUBMITTED:
        return evaluation_pb2.STAGE_UNSPECIFIED
    later = [stage for stage in stages_of(evaluation) if stage > evaluation.stage]
    return later[0] if later else evaluation_pb2.STAGE_UNSPECIFIED


def require_stage(evaluation: evaluation_pb2.Evaluation, stage: Stage, etag: str) -> None:
    """The evaluation stands in this stage, or enters it now; else the refusal says what is due."""
    require_current(evaluation, etag)
    require_unpublished(evaluation)
    if stage == evaluation.stage and evaluation.state == evaluation_pb2.EVALUATION_STATE_OPEN:
        return
    if stage == next_stage(evaluation):
        evaluation.stage = stage
        evaluation.state = evaluation_pb2.EVALUATION_STATE_OPEN
        return
    raise _out_of_turn(evaluation, stage)


def require_current(evaluation: evaluation_pb2.Evaluation, etag: str) -> None:
    """ABORTED where the caller has read an older version."""
    if etag and etag != evaluation.etag:
        raise conflict("evaluation", evaluation.id)


def require_unpublished(evaluation: evaluation_pb2.Evaluation) -> None:
    """Publication freezes."""
    if evaluation.state == evaluation_pb2.EVALUATION_STATE_PUBLISHED:
        raise precondition("PUBLISHED", f"evaluation {evaluation.id} is published: a correction is a new revision")


def _out_of_turn(evaluation: evaluation_pb2.Evaluation, stage: Stage) -> Refused:
    stages, name = stages_of(evaluation), stage_name(stage)
    if stage not in stages:
        if stage == evaluation_pb2.STAGE_VISIT and stage in planned(evaluation):
            return precondition("NOT_IN_CYCLE", "no visit was asked for")
        return precondition("NOT_IN_CYCLE", f"the cycle of this evaluation has no {name} stage")
    if stage < evaluation.stage or (stage == evaluation.stage):
        message = f"the {name} stage is concluded; {evaluation.id} stands at {stage_name(evaluation.stage)}"
        return precondition("OUT_OF_TURN", message)
    is_open = evaluation.state == evaluation_pb2.EVALUATION_STATE_OPEN
    before = [one for one in stages if (one >= evaluation.stage if is_open else one > evaluation.stage) and one < stage]
    message = f"{name} comes after {', '.join(map(stage_name, before))}"
    return precondition(
        "OUT_OF_TURN", message, [Violation(f"stages[{stage_name(one)}]", "is not concluded yet") for one in before]
    )


def values_of(evaluation: evaluation_pb2.Evaluation) -> dict[str, str]:
    """Item to its value now: the answers, under what each concluded stage has set since."""
    values = _answered(evaluation)
    for result in evaluation.results:
        values.update({one.indicator: one.value for one in result.values})
    return values


def _answered(evaluation: evaluation_pb2.Evaluation) -> dict[str, str]:
    return {answer.indicator: answer.value for answer in evaluation.answers if not answer.not_applicable}


def absent_of(evaluation: evaluation_pb2.Evaluation, values: Mapping[str, str] | None = None) -> frozenset[str]:
    """The indicators that do not apply: the institution said so, and no stage has given them a value since."""
    known = values_of(evaluation) if values is None else values
    return frozenset(
        answer.indicator for answer in evaluation.answers if answer.not_applicable and answer.indicator not in known
    )


def values_by_stage(evaluation: evaluation_pb2.Evaluation) -> dict[Stage, dict[str, str]]:
    """The values at the end of each stage, inherited ones with them; drafts count as the self-assessment's."""
    values = _answered(evaluation)
    found: dict[Stage, dict[str, str]] = {evaluation_pb2.STAGE_SELF_ASSESSMENT: dict(values)}
    for result in evaluation.results:
        values.update({one.indicator: one.value for one in result.values})
        found[result.stage] = dict(values)
    return found


def conclude(
    evaluation: evaluation_pb2.Evaluation,
    values: Iterable[evaluation_pb2.StageValue],
    scorer: Scorer,
    actor: str,
    now: datetime,
    *,
    remark: str = "",
) -> Concluded:
    """Ends the stage that the evaluation stands in, with the values that it sets itself; the rest is inherited."""
    result = evaluation.results.add(stage=evaluation.stage, values=values, concluded_by=actor, remark=remark)
    result.conclude_time.FromDatetime(now)
    result.late = is_late(evaluation, evaluation.stage, now)
    exact = {item: Decimal(value) for item, value in values_of(evaluation).items()}
    result.score.CopyFrom(scorer.without(absent_of(evaluation)).score(exact).message())
    evaluation.score.CopyFrom(result.score)
    evaluation.state = evaluation_pb2.EVALUATION_STATE_SUBMITTED
    advance(evaluation)
    return submitted(evaluation)


def submitted(evaluation: evaluation_pb2.Evaluation) -> Concluded:
    """The fact of a concluded stage: the self-assessment has one of its own."""
    own = evaluation.stage == evaluation_pb2.STAGE_SELF_ASSESSMENT
    kind = events_pb2.EvaluationSubmitted if own else events_pb2.StageConcluded
    return kind(
        meta=meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        instrument=evaluation.instrument,
        instrument_version=evaluation.instrument_version,
        period=evaluation.period,
        stage=evaluation.stage,
        score=evaluation.score,
        values=values_of(evaluation),
        not_applicable=sorted(absent_of(evaluation)),
    )


def is_late(evaluation: evaluation_pb2.Evaluation, stage: Stage, now: datetime) -> bool:
    """After the last day of the stage."""
    due = next((one.due_date for one in evaluation.cycle if one.stage == stage), "")
    return bool(due) and now.astimezone(_WIB).date() > date.fromisoformat(due)


def today(now: datetime) -> date:
    """The day that due dates are held against."""
    return now.astimezone(_WIB).date()


def advance(evaluation: evaluation_pb2.Evaluation) -> None:
    """One write more."""
    evaluation.etag = str(int(evaluation.etag) + 1)


def meta(evaluation: evaluation_pb2.Evaluation) -> Meta:
    """What a fact says of the evaluation that it happened to."""
    return Meta(
        aggregate_id=evaluation.id,
        version=int(evaluation.etag),
        cohort_id=evaluation.cohort_id,
        rehearsal=evaluation.rehearsal,
    )


def change(
    evaluation: evaluation_pb2.Evaluation,
    action: str,
    items: Mapping[str, tuple[str, str]],
    actor: str,
    now: datetime,
    reason: str = "",
) -> cycle_pb2.Change:
    """The entry in the history: each item from what to what. Call it once the evaluation has advanced."""
    entry = cycle_pb2.Change(
        version=int(evaluation.etag),
        by=actor,
        stage=evaluation.stage,
        action=action,
        items=[
            cycle_pb2.ChangeItem(subject=item, **{"from": before, "to": after})
            for item, (before, after) in items.items()
        ],
        reason=reason,
    )
    entry.time.FromDatetime(now)
    return entry
