"""What each foreign fact becomes: the documents that it makes, for a live reaction and for a rebuild alike."""

from collections.abc import Callable, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

from google.protobuf.message import Message
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.assessment.v1 import results_events_pb2 as imported_pb
from livinglab.benchmark.v1 import events_pb2
from livinglab.program.v1 import events_pb2 as program_pb

from services.benchmark.model import race
from services.benchmark.store.documents import (
    Write,
    cluster_writes,
    instrument_write,
    member_writes,
    result_writes,
    withdrawal_writes,
)
from services.benchmark.store.projections import STAGES


def of_instrument(event: assessment_pb.InstrumentPublished) -> list[Write]:
    """Weights and scale, which say what a gap costs."""
    return [instrument_write(event.instrument)]


def of_member(event: Any) -> list[Write]:
    """Whatever happens to an institution in a cohort's course shows that it takes part."""
    return member_writes(event.meta.cohort_id, event.institution, event.meta.occurred_time.ToDatetime(UTC))


def submitted(
    event: assessment_pb.EvaluationSubmitted | assessment_pb.StageConcluded | assessment_pb.EvaluationPublished,
) -> race.Result:
    """The result of a stage; of a publication with what the decree says."""
    published = event.published if isinstance(event, assessment_pb.EvaluationPublished) else ""
    return _result(event, event.score.index, event.score.predicate, published, computed=True, imported=False)


def imported(event: imported_pb.ResultImported) -> race.Result | None:
    """An earlier result; None where it has no index at all."""
    index = event.score.index or event.published_index
    if not index:
        return None
    predicate = event.score.predicate or event.published_predicate
    computed = bool(event.score.index)
    return _result(event, index, predicate, event.published_index, computed=computed, imported=True)


def _result(event: Any, index: str, predicate: str, published: str, *, computed: bool, imported: bool) -> race.Result:
    meta = event.meta
    return race.Result(
        institution=event.institution,
        instrument=event.instrument,
        instrument_version=getattr(event, "instrument_version", 0),
        period=event.period,
        stage=STAGES[event.stage],
        rehearsal=meta.rehearsal,
        cohort_id=meta.cohort_id,
        version=meta.version,
        index=Decimal(index),
        predicate=predicate,
        values={item: Decimal(value) for item, value in _comparable(event).items()},
        published=published,
        computed=computed,
        imported=imported,
        event_id=meta.event_id,
        occurred=meta.occurred_time.ToDatetime(UTC),
    )


def _comparable(event: Any) -> Mapping[str, str]:
    """The values by indicator; none where something does not apply to the institution: its index stands beside others,
    its aspects and gaps do not, since they are made of other indicators."""
    return {} if getattr(event, "not_applicable", ()) else getattr(event, "values", {})


def of_result(event: Any) -> list[Write]:
    """The documents of a result."""
    result = imported(event) if isinstance(event, imported_pb.ResultImported) else submitted(event)
    return result_writes(result) if result else []


def withdrawn(event: imported_pb.ResultWithdrawn) -> list[Write]:
    """The documents of a result that was taken out."""
    return withdrawal_writes(_result(event, "0", "", "", computed=False, imported=True))


MEMBERSHIP = (
    assessment_pb.EvaluationOpened,
    program_pb.ParticipantGraduated,
    program_pb.ParticipantFailed,
    program_pb.ParticipantWithdrawn,
)
RESULTS = (
    assessment_pb.EvaluationSubmitted,
    assessment_pb.StageConcluded,
    assessment_pb.EvaluationPublished,
    imported_pb.ResultImported,
)
# Every foreign fact that is projected.
WRITES: Mapping[type[Message], Callable[[Any], list[Write]]] = {
    assessment_pb.InstrumentPublished: of_instrument,
    **dict.fromkeys(MEMBERSHIP, of_member),
    **dict.fromkeys(RESULTS, of_result),
    imported_pb.ResultWithdrawn: withdrawn,
}


def of_setting(event: Any) -> list[Write]:
    """What a manager set, from the fact that told it; the first is what stands now."""
    order = {"order": event.meta.version}
    if isinstance(event, events_pb2.ClusterSet):
        since = event.meta.occurred_time.ToDatetime(UTC)
        return cluster_writes(event.name, event.institutions, event.meta.version, since)
    if isinstance(event, events_pb2.TargetsSet):
        lines = [{"period": line.period, "target": line.target} for line in event.lines]
        key = {"_id": f"{event.instrument}/{event.group}", "instrument": event.instrument, "group": event.group}
        return [Write("targets", {**key, "lines": lines, **order})]
    if isinstance(event, events_pb2.HostCapacitySet):
        return [Write("hosts", {"_id": event.institution, "visitors": event.visitors, **order})]
    return [Write("populations", {"_id": event.institution, "people": event.people, **order})]


# Our own facts, which a rebuild of a lost database starts from too.
SETTINGS = (events_pb2.ClusterSet, events_pb2.TargetsSet, events_pb2.HostCapacitySet, events_pb2.PopulationSet)
