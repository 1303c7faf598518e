"""The rules of one evaluation: opened once, answered by many hands, submitted complete. Decisions return facts."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.assessment.v1 import evaluation_pb2 as pb
from livinglab.assessment.v1 import events_pb2, service_pb2
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, Violation, conflict, invalid, precondition
from services.assessment.scoring import Scorer


def evaluation_id(institution: str, instrument: str, period: str, rehearsal: str) -> str:
    """One evaluation an institution, instrument and period; rehearsals have their own."""
    return ":".join([institution, instrument, period, *([rehearsal] if rehearsal else [])])


def opened(request: service_pb2.OpenEvaluationRequest, version: int, now: datetime) -> tuple[pb.Evaluation, Message]:
    """A new evaluation on that version of the instrument."""
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
        etag="1",
    )
    evaluation.create_time.FromDatetime(now)
    fact = events_pb2.EvaluationOpened(
        meta=_meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        instrument=evaluation.instrument,
        instrument_version=version,
        period=evaluation.period,
    )
    return evaluation, fact


def save_answers(
    evaluation: pb.Evaluation, request: service_pb2.SaveAnswersRequest, scorer: Scorer, actor: str, now: datetime
) -> Message:
    """Lays the answers over those that are there. INVALID_ARGUMENT names every bad one; then nothing has changed."""
    _require_open(evaluation, request.etag)
    _require_valid(request, scorer)
    stamp = Timestamp()
    stamp.FromDatetime(now)
    answers = {answer.indicator: answer for answer in evaluation.answers}
    known = len(answers)
    for given in request.answers:
        answer = answers.get(given.indicator) or evaluation.answers.add(indicator=given.indicator)
        answer.value, answer.note, answer.answered_by = given.value, given.note, actor
        answer.answer_time.CopyFrom(stamp)
        answers[given.indicator] = answer
    if len(answers) > known:
        place = {code: i for i, code in enumerate(scorer.ordered(answers))}
        evaluation.answers.sort(key=lambda answer: place[answer.indicator])
    _advance(evaluation)
    return events_pb2.AnswersSaved(
        meta=_meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        answered=len(answers),
        missing=len(scorer.missing(answers)),
    )


def submit(evaluation: pb.Evaluation, etag: str, scorer: Scorer, now: datetime) -> Message:
    """Freezes the answers of this stage and scores them. FAILED_PRECONDITION names every indicator without one."""
    _require_open(evaluation, etag)
    values = values_of(evaluation)
    missing = scorer.missing(values)
    if missing:
        faults = [Violation(f"answers[{code}]", "has no answer yet") for code in missing]
        raise precondition("INCOMPLETE", f"{len(missing)} indicators have no answer yet", faults)
    evaluation.score.CopyFrom(scorer.score({code: Decimal(value) for code, value in values.items()}).message())
    evaluation.state = pb.EVALUATION_STATE_SUBMITTED
    evaluation.submit_time.FromDatetime(now)
    _advance(evaluation)
    return events_pb2.EvaluationSubmitted(
        meta=_meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        instrument=evaluation.instrument,
        instrument_version=evaluation.instrument_version,
        period=evaluation.period,
        stage=evaluation.stage,
        score=evaluation.score,
        values=values,
    )


def values_of(evaluation: pb.Evaluation) -> Mapping[str, str]:
    """Indicator, or instance of one, to the value that was given."""
    return {answer.indicator: answer.value for answer in evaluation.answers}


def _require_valid(request: service_pb2.SaveAnswersRequest, scorer: Scorer) -> None:
    places: dict[str, int] = {}
    faults = []
    for i, answer in enumerate(request.answers):
        if answer.indicator in places:
            faults.append(Violation(f"answers[{i}].indicator", f"{answer.indicator} is answered twice"))
        places.setdefault(answer.indicator, i)
    values = {answer.indicator: answer.value for answer in request.answers}
    faults += [
        Violation(f"answers[{places[code]}]", f"{code}: {description}") for code, description in scorer.check(values)
    ]
    if faults:
        raise invalid(faults)


def _require_open(evaluation: pb.Evaluation, etag: str) -> None:
    if etag and etag != evaluation.etag:
        raise conflict("evaluation", evaluation.id)
    if evaluation.state != pb.EVALUATION_STATE_OPEN:
        raise _submitted(evaluation)


def _submitted(evaluation: pb.Evaluation) -> Refused:
    day = evaluation.submit_time.ToDatetime().date().isoformat()
    return precondition("ALREADY_SUBMITTED", f"evaluation {evaluation.id} was submitted on {day}")


def _advance(evaluation: pb.Evaluation) -> None:
    evaluation.etag = str(int(evaluation.etag) + 1)


def _meta(evaluation: pb.Evaluation) -> Meta:
    return Meta(
        aggregate_id=evaluation.id,
        version=int(evaluation.etag),
        cohort_id=evaluation.cohort_id,
        rehearsal=evaluation.rehearsal,
    )
