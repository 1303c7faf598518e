"""Who may see which evaluation, how it is shown to them, and how a decision about it is stored."""

from collections.abc import Iterable
from typing import Any

from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from chassis.errors import not_found
from directory.assignments import Assignments, not_assigned
from instruments.scoring import Scorer
from services.assessment.model import agencies, cycle
from services.assessment.model.cycle import Outcome
from services.assessment.model.publication import for_public
from services.assessment.store.evaluations import Store

Evaluation = evaluation_pb2.Evaluation


def is_public(caller: auth.Caller) -> bool:
    """Somebody who looks at the race."""
    return caller.role == options_pb2.ROLE_PUBLIC


class Access:
    """Which evaluations a caller reaches: its own institution's, those of the institutions that it coaches, those that
    it is assigned to as an assessor, or all of them."""

    def __init__(self, store: Store, assignments: Assignments) -> None:
        self._store = store
        self.assignments = assignments

    async def own(self, evaluation_id: str, tx: mongo.Tx | None = None) -> Evaluation:
        """The evaluation; PERMISSION_DENIED where the caller does not reach it."""
        evaluation = await self._store.get(evaluation_id, tx)
        await self.require(evaluation)
        return evaluation

    async def own_items(self, evaluation_id: str, items: Iterable[str], tx: mongo.Tx | None = None) -> Evaluation:
        """As `own`, for these indicators of it: PERMISSION_DENIED for an agency in whose care they are not."""
        evaluation = await self.own(evaluation_id, tx)
        require_given(evaluation, items)
        return evaluation

    async def for_duty(self, evaluation_id: str, tx: mongo.Tx | None = None) -> Evaluation:
        """As `own`, for methods that ask an assessor for a duty on it themselves."""
        evaluation = await self._store.get(evaluation_id, tx)
        auth.caller().require_institution(evaluation.institution)
        return evaluation

    async def require(self, evaluation: Evaluation) -> None:
        """PERMISSION_DENIED where the caller does not reach it."""
        caller = auth.caller()
        caller.require_institution(evaluation.institution)
        if not await self._reaches(caller, evaluation):
            raise not_assigned(caller, f"evaluation {evaluation.id}")

    async def visible(self, evaluation_id: str) -> Evaluation:
        """As `own`; to the public drafts do not exist, and what is published has no notes and names. That is what
        coaches and assessors see of evaluations that are not theirs."""
        evaluation = await self._store.get(evaluation_id)
        caller = auth.caller()
        caller.require_institution(evaluation.institution)
        require_given(evaluation)
        if not is_public(caller) and await self._reaches(caller, evaluation):
            return evaluation
        if evaluation.state == evaluation_pb2.EVALUATION_STATE_PUBLISHED:
            return for_public(evaluation)
        if is_public(caller):
            raise not_found("evaluation", evaluation_id)
        raise not_assigned(caller, f"evaluation {evaluation_id}")

    async def _reaches(self, caller: auth.Caller, evaluation: Evaluation) -> bool:
        if caller.role == options_pb2.ROLE_ASSESSOR:
            return is_assigned(caller, evaluation)
        return await self.assignments.reaches(caller, evaluation.institution)

    async def listed(self, caller: auth.Caller, institution: str) -> dict[str, Any]:
        """What bounds a list of evaluations to those that the caller sees."""
        if is_public(caller):
            return {"state": evaluation_pb2.EVALUATION_STATE_PUBLISHED}
        if caller.role == options_pb2.ROLE_ASSESSOR:
            return {"assessors": caller.subject}
        if (agency := caller.care()) is not None:
            return {"agencies": agency}
        if institution:
            await self.assignments.require(institution)
            return {}
        reached = await self.assignments.reached(caller)
        return {} if reached is None else {"institution": {"$in": sorted(reached)}}


def is_assigned(caller: auth.Caller, evaluation: Evaluation) -> bool:
    """Assigned as an assessor, and not of the institution itself."""
    return caller.identity.institution != evaluation.institution and any(
        one.assessor == caller.subject for one in evaluation.assessors
    )


def require_given(evaluation: Evaluation, items: Iterable[str] = ()) -> None:
    """PERMISSION_DENIED where an agency asks and these items are not in its care, or nothing of the evaluation is."""
    agency = auth.caller().care()
    if agency is not None:
        agencies.require_given(evaluation, agency, items)


def shown(evaluation: Evaluation, scorer: Scorer) -> Evaluation:
    """With what is computed and never stored; to an agency, its part of it."""
    del evaluation.missing[:]
    values = cycle.values_of(evaluation)
    evaluation.missing.extend(scorer.missing(values.keys() | cycle.absent_of(evaluation, values)))
    evaluation.next_stage = cycle.next_stage(evaluation)
    return narrowed(evaluation)


def narrowed(evaluation: Evaluation) -> Evaluation:
    """To an agency its part of it, to everybody else all."""
    agency = auth.caller().care()
    return evaluation if agency is None else agencies.part_of(evaluation, agency)


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
