"""Events in: one function a kind of foreign fact; the table of them at the end."""

from collections.abc import Awaitable, Callable
from typing import Any

from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.assessment.v1 import results_events_pb2 as imported_pb
from livinglab.coaching.v1 import events_pb2 as coaching_pb
from livinglab.program.v1 import directory_events_pb2 as directory_pb

from chassis import mongo
from chassis.events.stream import Reaction
from directory.assignments import Assignments
from directory.projection import Institutions
from services.benchmark.model import race
from services.benchmark.store import facts
from services.benchmark.store.documents import result_writes
from services.benchmark.store.facts import MEMBERSHIP, RESULTS, imported, submitted
from services.benchmark.store.projections import Store

Handle = Callable[[mongo.Tx, Any], Awaitable[None]]


def on_known(store: Store) -> Handle:
    """Instruments and memberships are only kept."""

    async def handle(tx: mongo.Tx, event: Any) -> None:
        await store.write(tx, facts.WRITES[type(event)](event))

    return handle


def on_result(store: Store) -> Handle:
    """A result enters the race of its own realm, or replaces an older one of its stage; a newer version is told."""

    async def handle(tx: mongo.Tx, event: Any) -> None:
        result = imported(event) if isinstance(event, imported_pb.ResultImported) else submitted(event)
        if result is None:
            return
        before = await store.write(tx, result_writes(result))
        if before is not None and race.is_news(result.order, before):
            tx.add(race.ranked(result))

    return handle


def table(store: Store, institutions: Institutions) -> tuple[Reaction, ...]:
    """Everything that benchmark listens to."""
    known, result, assignments = on_known(store), on_result(store), Assignments(store.db)
    return (
        Reaction(assessment_pb.InstrumentPublished, known),
        *(Reaction(event, known) for event in MEMBERSHIP),
        *(Reaction(event, result) for event in RESULTS),
        # Of what left the race nothing is told: whoever asks no longer finds it.
        Reaction(imported_pb.ResultWithdrawn, known),
        Reaction(directory_pb.InstitutionRegistered, institutions.keep),
        Reaction(coaching_pb.CoachAssigned, assignments.on_coach_assigned),
        Reaction(assessment_pb.AssessorAssigned, assignments.on_assessor_assigned),
        Reaction(assessment_pb.AssessorWithdrawn, assignments.on_assessor_withdrawn),
    )
