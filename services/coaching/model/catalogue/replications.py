"""The rules of copying a practice: asked for, answered, and what came of it. Decisions return facts."""

from livinglab.coaching.v1 import practice_events_pb2 as events_pb2
from livinglab.coaching.v1 import practice_pb2 as pb
from livinglab.coaching.v1 import practice_service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, invalid_field, precondition
from services.coaching.model.versions import advance

_REQUESTED, _ACCEPTED = pb.REPLICATION_STATE_REQUESTED, pb.REPLICATION_STATE_ACCEPTED
_DECLINED, _ABANDONED = pb.REPLICATION_STATE_DECLINED, pb.REPLICATION_STATE_ABANDONED
_REPLICATED = pb.REPLICATION_STATE_REPLICATED


def replication_id(practice_id: str, institution: str) -> str:
    """One a practice and institution."""
    return f"{practice_id}:{institution}"


def requested(
    request: rpc.RequestReplicationRequest, practice: pb.Practice, known: pb.Replication | None
) -> tuple[pb.Replication, events_pb2.ReplicationRequested | None]:
    """The request as it is from now on; no fact where it stands already."""
    if request.institution == practice.institution:
        raise invalid_field("institution", "is the one whose practice it is: nobody copies from itself")
    if practice.state != pb.PRACTICE_STATE_PUBLISHED:
        raise precondition("PRACTICE_STATE", f"practice {practice.id} is not in the catalogue")
    if known is not None:
        if known.state == _REPLICATED:
            raise _in_state(known, "it runs there already")
        if known.state in (_REQUESTED, _ACCEPTED):
            return known, None
    replication = pb.Replication(
        id=replication_id(practice.id, request.institution),
        practice_id=practice.id,
        institution=request.institution,
        host=practice.institution,
        state=_REQUESTED,
        note=request.note,
        rehearsal=practice.rehearsal,
        etag=str(int(known.etag) + 1) if known else "1",
    )
    fact = events_pb2.ReplicationRequested(
        meta=_meta(replication),
        institution=replication.institution,
        host=replication.host,
        practice_id=replication.practice_id,
        replication_id=replication.id,
    )
    return replication, fact


def answered(
    replication: pb.Replication, request: rpc.AnswerReplicationRequest
) -> events_pb2.ReplicationAnswered | None:
    """Whose practice it is says yes or no; no fact where the same was said before."""
    if not request.accepted and not request.answer.strip():
        raise invalid_field("answer", "is required when a request is declined: say why")
    state = _ACCEPTED if request.accepted else _DECLINED
    if replication.state == state and replication.answer == request.answer:
        return None
    if replication.state != _REQUESTED:
        raise _in_state(replication, "only what was asked for is answered")
    replication.answer = request.answer
    _advance(replication, state)
    return events_pb2.ReplicationAnswered(
        meta=_meta(replication),
        institution=replication.institution,
        host=replication.host,
        practice_id=replication.practice_id,
        replication_id=replication.id,
        accepted=request.accepted,
        answer=request.answer,
    )


def reported(
    replication: pb.Replication, request: rpc.ReportReplicationRequest
) -> events_pb2.ReplicationReported | None:
    """Who copies says what came of it; no fact where the same was said before."""
    state = _REPLICATED if request.replicated else _ABANDONED
    if replication.state == state and replication.outcome == request.outcome:
        return None
    if replication.state != _ACCEPTED:
        raise _in_state(replication, "only what was accepted is reported")
    replication.outcome = request.outcome
    _advance(replication, state)
    return events_pb2.ReplicationReported(
        meta=_meta(replication),
        institution=replication.institution,
        host=replication.host,
        practice_id=replication.practice_id,
        replication_id=replication.id,
        replicated=request.replicated,
        outcome=request.outcome,
    )


def _in_state(replication: pb.Replication, rule: str) -> Refused:
    state = pb.ReplicationState.Name(replication.state).removeprefix("REPLICATION_STATE_").lower()
    return precondition("REPLICATION_STATE", f"replication {replication.id} is {state}: {rule}")


def _advance(replication: pb.Replication, state: pb.ReplicationState.ValueType) -> None:
    replication.state = state
    advance(replication)


def _meta(replication: pb.Replication) -> Meta:
    return Meta(
        aggregate_id=f"replication:{replication.id}", version=int(replication.etag), rehearsal=replication.rehearsal
    )
