"""Events in: one function a foreign fact; the table of them at the end."""

from decimal import Decimal
from functools import partial

from livinglab.assessment.v1 import events_pb2 as assessment_pb

from chassis import mongo
from chassis.stream import Reaction
from services.benchmark import model
from services.benchmark.store import STAGES, Store


async def on_instrument_published(store: Store, tx: mongo.Tx, event: assessment_pb.InstrumentPublished) -> None:
    """Weights and scale are needed to say what a gap costs."""
    await store.keep_instrument(tx, event.instrument)


async def on_evaluation_submitted(store: Store, tx: mongo.Tx, event: assessment_pb.EvaluationSubmitted) -> None:
    """The result enters the race of its own realm, or replaces an older one of the same stage."""
    meta = event.meta
    result = model.Result(
        institution=event.institution,
        instrument=event.instrument,
        instrument_version=event.instrument_version,
        period=event.period,
        stage=STAGES[event.stage],
        rehearsal=meta.rehearsal,
        cohort_id=meta.cohort_id,
        version=meta.version,
        index=Decimal(event.score.index),
        predicate=event.score.predicate,
        values={item: Decimal(value) for item, value in event.values.items()},
    )
    if await store.project(tx, result):
        tx.add(model.ranked(result))


def table(store: Store) -> tuple[Reaction, ...]:
    """Everything that benchmark listens to."""
    return (
        Reaction(assessment_pb.InstrumentPublished, partial(on_instrument_published, store)),
        Reaction(assessment_pb.EvaluationSubmitted, partial(on_evaluation_submitted, store)),
    )
