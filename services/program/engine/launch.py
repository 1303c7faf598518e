"""The launch of a cohort, by a manager or by the calendar: once for each id."""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime

from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb

from chassis import auth, mongo
from chassis.errors import Kind, Refused, invalid
from programs import clock
from programs.overrides import effective
from programs.phases import has_ended
from programs.rules import cohort as cohort_rules
from services.program.engine.client import Engine
from services.program.store import audit, documents, views
from services.program.store.cohorts import Store


class Launches:
    """Everything that a launch needs."""

    def __init__(self, store: Store, engine: Engine, regions: Collection[str], instruments: Collection[str]) -> None:
        self._store = store
        self._engine = engine
        self._regions = regions
        self._instruments = instruments

    async def launch(self, request: pb.LaunchCohortRequest) -> pb.LaunchCohortResponse:
        """Stores the cohort and starts its workflow; the same launch again changes nothing. INVALID_ARGUMENT names
        every fault; ALREADY_EXISTS where the id stands for another one."""
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
                await self._store.audit.add(tx, _entry(request, now))
                return pb.LaunchCohortResponse(cohort=cohort)
            if here != fingerprint:
                raise _taken(name)
            return pb.LaunchCohortResponse(cohort=await self._store.cohort(name, tx))

        response = await self._store.db.once(request, decide, pb.LaunchCohortResponse)
        if not has_ended(response.cohort.state):
            # A crash before this line is healed by our own reaction to CohortLaunched.
            await self._engine.start_program(await self._store.known_course(name))
        return response

    def _require_valid(self, request: pb.LaunchCohortRequest, now: datetime) -> None:
        faults = cohort_rules.validate(request.definition, request.cohort, self._regions, self._instruments, now)
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
    return views.cohort(row, documents.participant_rows(request.cohort))


def _entry(request: pb.LaunchCohortRequest, now: datetime) -> documents.Row:
    """The launch as the audit keeps it."""
    actor = auth.actor("schedule")
    outcome = f"{len(request.cohort.roster)} participants"
    return audit.entry(request.cohort.id, "launch", request.request_id, actor, now, outcome=outcome)


def _taken(name: str) -> Refused:
    message = f"cohort {name} stands with another definition or roster: choose another id"
    return Refused(Kind.ALREADY_EXISTS, "COHORT_EXISTS", message, resource=("cohort", name))
