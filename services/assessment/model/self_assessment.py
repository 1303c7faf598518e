"""The rules of a self-assessment: opened once, answered by many hands, submitted complete. Decisions return facts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.assessment.v1 import cycle_pb2, events_pb2, service_pb2
from livinglab.assessment.v1 import evaluation_pb2 as pb

from chassis.errors import Kind, Refused, Violation, invalid, precondition
from instruments.scoring import Scorer
from services.assessment.model import cycle
from services.assessment.model.cycle import Outcome

# Indicators and instances of them in one evaluation.
MOST_ITEMS = 500
# Bytes of its answers, and of its papers; the evaluation takes notes over from them as its stages end, and still fits
# into a document and a message then.
LARGEST = 2 * 2**20
LARGEST_AT_THE_END = 3 * LARGEST


class Levelled(Protocol):
    """Any message that gives an indicator a value."""

    indicator: str
    value: str


def evaluation_id(institution: str, instrument: str, period: str, rehearsal: str) -> str:
    """One evaluation an institution, instrument and period; rehearsals have their own."""
    return ":".join([institution, instrument, period, *([rehearsal] if rehearsal else [])])


def opened(
    request: service_pb2.OpenEvaluationRequest,
    version: int,
    stages: Iterable[pb.CycleStage],
    actor: str,
    now: datetime,
) -> tuple[pb.Evaluation, Outcome]:
    """A new evaluation on that version of the instrument, in that cycle."""
    evaluation = pb.Evaluation(
        id=evaluation_id(request.institution, request.instrument, request.period, request.rehearsal),
        institution=request.institution,
        instrument=request.instrument,
        instrument_version=version,
        period=request.period,
        stage=pb.STAGE_SELF_ASSESSMENT,
        state=pb.EVALUATION_STATE_OPEN,
        cohort_id=request.cohort_id,
        rehearsal=request.rehearsal,
        cycle=stages,
        etag="1",
    )
    evaluation.create_time.FromDatetime(now)
    fact = events_pb2.EvaluationOpened(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        instrument=evaluation.instrument,
        instrument_version=version,
        period=evaluation.period,
    )
    return evaluation, Outcome((fact,), cycle.change(evaluation, "opened", {}, actor, now))


def save_answers(
    evaluation: pb.Evaluation, request: service_pb2.SaveAnswersRequest, scorer: Scorer, actor: str, now: datetime
) -> Outcome:
    """Lays the answers over those that are there. INVALID_ARGUMENT names every bad one; then nothing has changed."""
    _require_open(evaluation, request.etag)
    _require_answers(request.answers, scorer)
    stamp = Timestamp()
    stamp.FromDatetime(now)
    answers = {answer.indicator: answer for answer in evaluation.answers}
    known = len(answers)
    changed: dict[str, tuple[str, str]] = {}
    for given in request.answers:
        answer = answers.get(given.indicator) or evaluation.answers.add(indicator=given.indicator)
        changed[given.indicator] = (_said(answer), _said(given))
        answer.value, answer.note, answer.answered_by = given.value, given.note, actor
        answer.not_applicable = given.not_applicable
        if given.met or given.forget_met:
            del answer.met[:]
            answer.met.extend(given.met)
        answer.answer_time.CopyFrom(stamp)
        answers[given.indicator] = answer
    if len(answers) > known:
        place = {code: i for i, code in enumerate(scorer.ordered(answers))}
        evaluation.answers.sort(key=lambda answer: place[answer.indicator])
    require_size(evaluation, len(answers))
    cycle.advance(evaluation)
    fact = events_pb2.AnswersSaved(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        answered=len(answers),
        missing=len(scorer.missing(answers)),
    )
    return Outcome((fact,), cycle.change(evaluation, "answered", changed, actor, now))


def submit(evaluation: pb.Evaluation, etag: str, scorer: Scorer, actor: str, now: datetime) -> Outcome:
    """Freezes the answers and scores them. FAILED_PRECONDITION names every indicator without one."""
    _require_open(evaluation, etag)
    absent = cycle.absent_of(evaluation)
    if absent >= set(scorer.indicators):
        raise precondition("NOTHING_APPLIES", f"no indicator of {evaluation.instrument} is answered by a level")
    missing = scorer.missing(cycle.values_of(evaluation).keys() | absent)
    if missing:
        faults = [Violation(f"answers[{code}]", "has no answer yet") for code in missing]
        raise precondition("INCOMPLETE", f"{len(missing)} indicators have no answer yet", faults)
    evaluation.submit_time.FromDatetime(now)
    fact = cycle.conclude(evaluation, (), scorer, actor, now)
    return concluded(evaluation, fact, actor, now)


def _said(answer: pb.Answer) -> str:
    return "not applicable" if answer.not_applicable else answer.value


def _require_answers(given: Iterable[pb.Answer], scorer: Scorer) -> None:
    """As `require_levels`; without a value only where the instrument lets an indicator not apply, with a reason."""
    given = list(given)
    faults = []
    for i, one in enumerate(given):
        place = f"answers[{i}]"
        if not one.not_applicable:
            if not one.value:
                faults.append(Violation(f"{place}.value", "is required"))
            continue
        if not scorer.may_not_apply(one.indicator):
            reason = f"indicator {one.indicator} always applies: the instrument has a level for everybody"
            faults.append(Violation(f"{place}.not_applicable", reason))
        if one.value:
            faults.append(Violation(f"{place}.value", "and not_applicable exclude each other"))
        if one.met:
            faults.append(Violation(f"{place}.met", "and not_applicable exclude each other"))
        if not one.note.strip():
            faults.append(Violation(f"{place}.note", "is required: say why it does not apply"))
    if faults:
        raise invalid(faults)
    require_levels("answers", given, scorer)


def concluded(
    evaluation: pb.Evaluation, fact: Message, actor: str, now: datetime, *more: Message, reason: str = ""
) -> Outcome:
    """The outcome of a concluded stage: its own facts first, then the result."""
    before = evaluation.results[-2].score.index if len(evaluation.results) > 1 else ""
    items = {"index": (before, evaluation.score.index)}
    return Outcome((*more, fact), cycle.change(evaluation, "concluded", items, actor, now, reason))


def require_levels(
    field: str,
    given: Iterable[Levelled],
    scorer: Scorer,
    *,
    most: Mapping[str, str] | None = None,
) -> None:
    """Each names an indicator of the instrument once, with a value on its scale; every fault is named. `most` are the
    values that they are laid over."""
    given = list(given)
    places: dict[str, int] = {}
    faults = []
    for i, one in enumerate(given):
        code = one.indicator
        if code in places:
            faults.append(Violation(f"{field}[{i}].indicator", f"{code} is named twice"))
        places.setdefault(code, i)
    values = {one.indicator: one.value for one in given if one.value}
    faults += [
        Violation(f"{field}[{places[code]}]", f"{code}: {description}") for code, description in scorer.check(values)
    ]
    if faults:
        raise invalid(faults)
    if most is not None:
        require_count(len(values.keys() | most.keys()))


def require_count(items: int) -> None:
    """Instances of repeatable indicators do not grow without bound."""
    if items > MOST_ITEMS:
        raise Refused(Kind.RESOURCE_EXHAUSTED, "TOO_MANY_ITEMS", f"an evaluation holds at most {MOST_ITEMS} items")


def require_size(papers: pb.Evaluation | cycle_pb2.Dossier, items: int = 0, most: int = LARGEST) -> None:
    """What is stored as one document must fit into one, and into a message."""
    require_count(items)
    if papers.ByteSize() > most:
        message = f"notes and explanations of one evaluation hold at most {most // 2**20} MB"
        raise Refused(Kind.RESOURCE_EXHAUSTED, "TOO_MUCH_TEXT", message)


def _require_open(evaluation: pb.Evaluation, etag: str) -> None:
    cycle.require_current(evaluation, etag)
    cycle.require_unpublished(evaluation)
    if evaluation.stage != pb.STAGE_SELF_ASSESSMENT or evaluation.state != pb.EVALUATION_STATE_OPEN:
        day = evaluation.submit_time.ToDatetime().date().isoformat()
        raise precondition("ALREADY_SUBMITTED", f"evaluation {evaluation.id} was submitted on {day}")
