"""Who reaches which evaluation, how it is shown to them, and how what was decided on it is stored."""

from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from chassis.errors import not_found
from instruments.scoring import Scorer
from services.assessment.model import cycle
from services.assessment.model.cycle import Outcome
from services.assessment.model.publication import for_public
from services.assessment.store.evaluations import Store

Evaluation = evaluation_pb2.Evaluation


def is_public(caller: auth.Caller) -> bool:
    """Somebody who looks at the race."""
    return caller.role == options_pb2.ROLE_PUBLIC


async def own(store: Store, evaluation_id: str, tx: mongo.Tx | None = None) -> Evaluation:
    """The evaluation, if the caller may reach its institution."""
    evaluation = await store.get(evaluation_id, tx)
    auth.caller().require_institution(evaluation.institution)
    return evaluation


async def visible(store: Store, evaluation_id: str) -> Evaluation:
    """As `own`; to the public drafts do not exist, and what is published has no notes and names."""
    evaluation = await own(store, evaluation_id)
    if not is_public(auth.caller()):
        return evaluation
    if evaluation.state != evaluation_pb2.EVALUATION_STATE_PUBLISHED:
        raise not_found("evaluation", evaluation_id)
    return for_public(evaluation)


def shown(evaluation: Evaluation, scorer: Scorer) -> Evaluation:
    """With what is computed and never stored."""
    del evaluation.missing[:]
    evaluation.missing.extend(scorer.missing(cycle.values_of(evaluation)))
    evaluation.next_stage = cycle.next_stage(evaluation)
    return evaluation


async def save(
    store: Store, tx: mongo.Tx, evaluation: Evaluation, outcome: Outcome, dossier: cycle_pb2.Dossier | None = None
) -> None:
    """The next version, its papers where they changed, its facts and the entry in its history."""
    await store.save(tx, evaluation)
    if dossier is not None:
        await store.keep_dossier(tx, evaluation.id, dossier)
    await publish(store, tx, evaluation, outcome)


async def publish(store: Store, tx: mongo.Tx, evaluation: Evaluation, outcome: Outcome) -> None:
    """Facts out, history in."""
    for fact in outcome.facts:
        tx.add(fact)
    await store.record(tx, evaluation.id, outcome.change)
