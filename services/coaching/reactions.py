"""Events in: one function a foreign fact; the table of them at the end."""

from datetime import UTC
from decimal import Decimal
from functools import partial
from typing import Any, get_args

from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.assessment.v1 import evidence_events_pb2 as evidence_pb
from livinglab.coaching.v1 import events_pb2 as coaching_pb
from livinglab.program.v1 import directory_events_pb2 as directory_pb
from livinglab.program.v1 import events_pb2 as program_pb

from chassis import mongo
from chassis.events.stream import Reaction
from directory.assignments import Assignments
from directory.projection import Institutions
from services.coaching.model import proof
from services.coaching.store.assignments import AssignmentRows
from services.coaching.store.coaching import Evaluated, Store
from services.coaching.store.plans import PlanStore


async def on_instrument_published(store: Store, tx: mongo.Tx, event: assessment_pb.InstrumentPublished) -> None:
    """Weights, names and scale are what plans are drafted from."""
    await store.keep_instrument(tx, event.instrument)


async def on_evaluation_submitted(store: Store, plans: PlanStore, tx: mongo.Tx, event: Evaluated) -> None:
    """The newest evaluation is what a plan starts from, with the values of its latest stage. One that others have
    verified proves the actions of earlier plans."""
    if not await store.keep_evaluation(tx, event) or isinstance(event, assessment_pb.EvaluationSubmitted):
        return
    values = {item: Decimal(value) for item, value in event.values.items()}
    realm = event.meta.rehearsal
    for plan in await plans.agreed(tx, event.institution, realm):
        begun = await store.newest_evaluation(tx, event.institution, realm, plan.evaluation_id)
        if begun is not None and proof.later(begun, event.evaluation_id, event.instrument, event.period):
            fact = proof.prove(plan, values, event.evaluation_id, event.meta.occurred_time.ToDatetime(UTC))
            if fact is not None:
                await plans.save(tx, plan, fact)


def _places(event: Any) -> str:
    """Coaches of one cohort: many leave at once where a phase closes."""
    return str(event.meta.cohort_id)


async def on_participant_left(
    rows: AssignmentRows, tx: mongo.Tx, event: program_pb.ParticipantWithdrawn | program_pb.ParticipantFailed
) -> None:
    """The coach has a place for another one."""
    await rows.note_standing(tx, event.meta.cohort_id, event.institution, event.meta.version, left=True)


async def on_participant_readmitted(
    rows: AssignmentRows, tx: mongo.Tx, event: program_pb.ParticipantReadmitted
) -> None:
    """It goes on with the coach that it had."""
    await rows.note_standing(tx, event.meta.cohort_id, event.institution, event.meta.version, left=False)


async def on_cohort_launched(plans: PlanStore, tx: mongo.Tx, event: program_pb.CohortLaunched) -> None:
    """Dates of actions lie within the program."""
    await plans.keep_window(tx, event)


async def on_days_moved(
    plans: PlanStore, tx: mongo.Tx, event: program_pb.PhaseRescheduled | program_pb.CohortPaused
) -> None:
    """The program has other days than it was launched with."""
    await plans.open_window(tx, event.cohort_id)


async def on_evidence_uploaded(plans: PlanStore, tx: mongo.Tx, event: evidence_pb.EvidenceUploaded) -> None:
    """An action is reported with evidence of one's own."""
    await plans.keep_piece(tx, event)


def table(store: Store, plans: PlanStore, institutions: Institutions) -> tuple[Reaction, ...]:
    """Everything that coaching listens to."""
    assignments = Assignments(store.db)
    rows = AssignmentRows(store)
    return (
        Reaction(assessment_pb.InstrumentPublished, partial(on_instrument_published, store)),
        *(Reaction(event, partial(on_evaluation_submitted, store, plans)) for event in get_args(Evaluated)),
        Reaction(program_pb.CohortLaunched, partial(on_cohort_launched, plans)),
        Reaction(program_pb.PhaseRescheduled, partial(on_days_moved, plans)),
        Reaction(program_pb.CohortPaused, partial(on_days_moved, plans)),
        Reaction(evidence_pb.EvidenceUploaded, partial(on_evidence_uploaded, plans)),
        Reaction(program_pb.ParticipantWithdrawn, partial(on_participant_left, rows), thing=_places),
        Reaction(program_pb.ParticipantFailed, partial(on_participant_left, rows), thing=_places),
        Reaction(program_pb.ParticipantReadmitted, partial(on_participant_readmitted, rows), thing=_places),
        Reaction(directory_pb.InstitutionRegistered, institutions.keep),
        # Its own, so that coaches and assessors are asked after in one place.
        Reaction(coaching_pb.CoachAssigned, assignments.on_coach_assigned),
        Reaction(assessment_pb.AssessorAssigned, assignments.on_assessor_assigned),
        Reaction(assessment_pb.AssessorWithdrawn, assignments.on_assessor_withdrawn),
    )
