"""RPCs in: one method is one use case: read, decide, one transaction, then what follows from it in Temporal."""

import hashlib
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any

from livinglab.program.v1 import cohort_pb2, service_pb2_grpc, workflow_pb2
from livinglab.program.v1 import service_pb2 as pb

from chassis import auth, mongo
from chassis.errors import Kind, Refused, Violation, invalid, precondition
from services.program import audit_store, clock, documents, model, progress, validation
from services.program.engine import Engine
from services.program.overrides import effective
from services.program.participant_store import require_active
from services.program.store import Store


class ProgramService(service_pb2_grpc.ProgramServiceServicer):
    """The contract, on one store, the workflows, and the regions and instruments that are known."""

    def __init__(self, store: Store, engine: Engine, regions: Collection[str], instruments: Collection[str]) -> None:
        self._store = store
        self._engine = engine
        self._regions = regions
        self._instruments = instruments

    async def LaunchCohort(self, request: pb.LaunchCohortRequest, context: Any) -> pb.LaunchCohortResponse:
        now = documents.in_milliseconds(datetime.now(UTC))
        name = request.cohort.id
        fingerprint = _fingerprint(request)
        standing = await self._store.fingerprint(name)
        if standing != fingerprint:
            self._require_valid(request, now)
        if standing is not None and standing != fingerprint:
            raise _taken(name)
        if request.validate_only:
            return pb.LaunchCohortResponse(cohort=_preview(request, now))

        async def decide(tx: mongo.Tx) -> pb.LaunchCohortResponse:
            here = await self._store.fingerprint(name, tx)
            if here is None:
                definition = effective(request.definition, request.cohort)
                pace = clock.cohort_clock(definition, request.cohort, now)
                cohort = await self._store.launch(tx, definition, request.cohort, pace, fingerprint, now)
                outcome = f"{len(request.cohort.roster)} participants"
                await self._store.audit.add(tx, _entry(request, "launch", name, outcome=outcome))
                return pb.LaunchCohortResponse(cohort=cohort)
            if here != fingerprint:
                raise _taken(name)
            return pb.LaunchCohortResponse(cohort=await self._store.cohort(name, tx))

        response = await self._store.db.once(request, decide, pb.LaunchCohortResponse)
        if not model.has_ended(response.cohort.state):
            # A crash before this line is healed by our own reaction to CohortLaunched.
            await self._engine.start_program(await self._store.known_course(name))
        return response

    async def GetCohort(self, request: pb.GetCohortRequest, context: Any) -> pb.GetCohortResponse:
        return pb.GetCohortResponse(cohort=await self._store.cohort(request.cohort_id))

    async def ListCohorts(self, request: pb.ListCohortsRequest, context: Any) -> pb.ListCohortsResponse:
        cohorts, token = await self._store.cohorts(mongo.page_size(request.page_size), request.page_token)
        return pb.ListCohortsResponse(cohorts=cohorts, next_page_token=token)

    async def WatchCohort(self, request: pb.WatchCohortRequest, context: Any) -> AsyncIterator[pb.WatchCohortResponse]:
        last = await self._store.cohort(request.cohort_id)
        yield pb.WatchCohortResponse(cohort=last)
        if model.has_ended(last.state):
            return
        async for _ in self._store.changes(request.cohort_id):
            cohort = await self._store.cohort(request.cohort_id)
            if cohort != last:
                yield pb.WatchCohortResponse(cohort=cohort)
                last = cohort
            if model.has_ended(cohort.state):
                return

    async def ListParticipants(self, request: pb.ListParticipantsRequest, context: Any) -> pb.ListParticipantsResponse:
        size = mongo.page_size(request.page_size)
        participants, token = await self._store.participant_page(request.cohort_id, size, request.page_token)
        return pb.ListParticipantsResponse(participants=participants, next_page_token=token)

    async def WithdrawParticipant(
        self, request: pb.WithdrawParticipantRequest, context: Any
    ) -> pb.WithdrawParticipantResponse:
        course = await self._store.known_course(request.cohort_id)
        withdrawal = workflow_pb2.Withdrawal(reason=request.reason, actor=auth.caller().subject)

        async def decide(tx: mongo.Tx) -> pb.WithdrawParticipantResponse:
            cohort = await self._store.cohort(request.cohort_id, tx)
            row = await self._store.participants.standing(request.cohort_id, request.institution, tx)
            _require_running(cohort)
            require_active(row)
            await self._store.participants.ask_to_leave(tx, request.cohort_id, withdrawal, request.institution)
            about = {"institution": request.institution, "outcome": "withdrawn"}
            await self._store.audit.add(tx, _entry(request, "withdraw", request.cohort_id, **about))
            return pb.WithdrawParticipantResponse()

        response = await self._store.db.once(request, decide, pb.WithdrawParticipantResponse)
        await self._engine.withdraw(course, request.institution, withdrawal)
        return response

    async def CancelCohort(self, request: pb.CancelCohortRequest, context: Any) -> pb.CancelCohortResponse:
        course = await self._store.known_course(request.cohort_id)

        async def decide(tx: mongo.Tx) -> pb.CancelCohortResponse:
            cohort = await self._store.cohort(request.cohort_id, tx)
            _require_running(cohort)
            await self._store.audit.add(tx, _entry(request, "cancel", request.cohort_id, outcome="being cancelled"))
            return pb.CancelCohortResponse(cohort=cohort)

        response = await self._store.db.once(request, decide, pb.CancelCohortResponse)
        cancellation = workflow_pb2.Cancellation(reason=request.reason, actor=auth.caller().subject)
        await self._engine.cancel(course, cancellation)
        return response

    def _require_valid(self, request: pb.LaunchCohortRequest, now: datetime) -> None:
        faults: list[Violation] = validation.validate(
            request.definition, request.cohort, self._regions, self._instruments, now
        )
        if faults:
            raise invalid(faults)


def _fingerprint(request: pb.LaunchCohortRequest) -> bytes:
    """What tells one launch from another: everything but who asked for it."""
    bare = pb.LaunchCohortRequest(definition=request.definition, cohort=request.cohort)
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()


def _preview(request: pb.LaunchCohortRequest, now: datetime) -> cohort_pb2.Cohort:
    """The cohort as it would stand after a launch now."""
    definition = effective(request.definition, request.cohort)
    pace = clock.cohort_clock(definition, request.cohort, now)
    row = documents.cohort_row(definition, request.cohort, pace, b"", now)
    return progress.cohort(row, documents.participant_rows(request.cohort))


def _entry(request: Any, command: str, cohort_id: str, **about: str) -> documents.Row:
    """An order as the audit keeps it."""
    actor = auth.caller().subject
    reason = getattr(request, "reason", "")
    return audit_store.entry(cohort_id, command, request.request_id, actor, datetime.now(UTC), reason=reason, **about)


def _require_running(cohort: cohort_pb2.Cohort) -> None:
    if model.has_ended(cohort.state):
        name = cohort_pb2.CohortState.Name(cohort.state).removeprefix("COHORT_STATE_").lower()
        raise precondition("COHORT_ENDED", f"cohort {cohort.id} has ended already: {name}")


def _taken(name: str) -> Refused:
    message = f"cohort {name} stands with another definition or roster: choose another id"
    return Refused(Kind.ALREADY_EXISTS, "COHORT_EXISTS", message, resource=("cohort", name))
