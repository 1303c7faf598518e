"""RPCs on earlier results: the import of a file's rows, and lists."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, results_service_pb2_grpc
from livinglab.assessment.v1 import results_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from chassis.errors import invalid_field
from directory.known import Directory
from instruments.periods import out_of_force
from services.assessment.model import results
from services.assessment.service.access import Access
from services.assessment.store.editions import Edition, Editions
from services.assessment.store.results import ResultStore

_MOST_REJECTED = 20_000
_MOST_DIFFERING = 1_000
_MOST_DOUBTS = 100
# Who registers institutions and imports their results right after waits for this long at most, once an import.
_LATE_SECONDS = 2.0
_UNBOUND = frozenset(
    {
        options_pb2.ROLE_MANAGER,
        options_pb2.ROLE_PLATFORM,
        options_pb2.ROLE_SYSTEM,
    }
)


class ResultService(results_service_pb2_grpc.ResultServiceServicer):
    """The contract, on one store, the instruments and the institutions that are known."""

    def __init__(self, store: ResultStore, reach: Access, editions: Editions, institutions: Directory) -> None:
        self._store = store
        self._access = reach
        self._editions = editions
        self._institutions = institutions

    async def ImportResults(
        self, request_iterator: AsyncIterator[pb.ImportResultsRequest], context: Any
    ) -> pb.ImportResultsResponse:
        newest = await self._newest()
        gathering = results.Gathering(self._institutions, newest.get, _MOST_REJECTED)
        head = pb.ImportResultsRequest()
        digest = hashlib.sha256()
        patient = True
        async for request in request_iterator:
            if not head.request_id:
                head.request_id, head.partial = request.request_id, request.partial
                head.validate_only = request.validate_only
            elif request.request_id != head.request_id:
                raise invalid_field("request_id", "is another one than in the first message")
            named = {row.institution for row in request.rows if row.institution}
            patient = patient and await self._institutions.heard_of(named, _LATE_SECONDS)
            for row in request.rows:
                digest.update(row.SerializeToString(deterministic=True))
                gathering.add(row)
        if not head.request_id:
            raise invalid_field("messages[0]", "is required: the stream was empty")
        head.digest = digest.digest()
        given = gathering.results()
        refused = gathering.rejected_count and not head.partial
        return await self._taken(head, [] if refused else given, gathering)

    async def _taken(
        self, head: pb.ImportResultsRequest, given: Sequence[results.Given], gathering: results.Gathering
    ) -> pb.ImportResultsResponse:
        """All of them or none, after a crash too."""

        async def judge() -> tuple[pb.ImportResultsResponse, Sequence[pb.Result]]:
            stored = await self._store.find([one.id for one in given])
            now, actor = datetime.now(UTC), auth.caller().subject
            # Beside the calls of others: scoring the largest file takes seconds.
            changed = await asyncio.to_thread(_merged, stored, given, actor, now)
            return pb.ImportResultsResponse(
                imported=len(changed),
                unchanged=len(given) - len(changed),
                rejected=gathering.rejected,
                rejected_count=gathering.rejected_count,
                differing=_differing(changed),
                doubts=_doubts(given),
            ), changed

        if head.validate_only or not given:
            return (await judge())[0]
        return await self._store.writes.once(head, judge, pb.ImportResultsResponse)

    async def _newest(self) -> dict[str, Edition]:
        """The newest version of every instrument, by id."""
        found = {name: await self._editions.find(name) for name in {i.id for i in await self._editions.all()}}
        return {name: edition for name, edition in found.items() if edition is not None}

    async def WithdrawResult(self, request: pb.WithdrawResultRequest, context: Any) -> pb.WithdrawResultResponse:
        if not request.reason.strip():
            raise invalid_field("reason", "is required")
        wanted = results.result_id(request.institution, request.instrument, request.period, request.stage)

        async def judge() -> tuple[pb.WithdrawResultResponse, Sequence[pb.Result]]:
            stored = (await self._store.find([wanted])).get(wanted)
            now, actor = datetime.now(UTC), auth.caller().subject
            result = results.withdrawn(stored, wanted, request.reason.strip(), actor, now)
            return pb.WithdrawResultResponse(result=result), [result]

        return await self._store.writes.once(request, judge, pb.WithdrawResultResponse)

    async def ListResults(self, request: pb.ListResultsRequest, context: Any) -> pb.ListResultsResponse:
        named = {key: getattr(request, key) for key in ("institution", "instrument", "period", "stage")}
        keys = {key: value for key, value in named.items() if value}
        found, token = await self._store.page(keys, request)
        mine = await self._mine()
        seen = [one if _whole(one, mine) else _index_of(one) for one in found]
        return pb.ListResultsResponse(results=seen, next_page_token=token)

    async def _mine(self) -> Collection[str] | None:
        """The institutions whose unpublished values the caller sees; None for all."""
        caller = auth.caller()
        if caller.role in _UNBOUND:
            return None
        reached = await self._access.assignments.reached(caller)
        return reached if reached is not None else {caller.bound_to or ""}


def _merged(
    stored: Mapping[str, pb.Result], given: Sequence[results.Given], actor: str, now: datetime
) -> list[pb.Result]:
    """Those that change; RESOURCE_EXHAUSTED where a fact would be too large."""
    changed = []
    for one in given:
        result = results.merged(stored.get(one.id), one, actor, now)
        if result is not None:
            mongo.require_fits(results.told(result))
            changed.append(result)
    return changed


def _whole(result: pb.Result, mine: Collection[str] | None) -> bool:
    """What was published is for everybody, what came before it for those whom it concerns."""
    return mine is None or result.institution in mine or result.stage == evaluation_pb2.STAGE_PUBLICATION


def _index_of(result: pb.Result) -> pb.Result:
    """What the ranking shows of it too."""
    shown = pb.Result()
    shown.CopyFrom(result)
    for field in ("values", "difference", "imported_by"):
        shown.ClearField(field)
    del shown.score.nodes[:]
    return shown


def _differing(changed: Sequence[pb.Result]) -> list[pb.Result]:
    """Those whose published index is not the computed one, without their values."""
    found: list[pb.Result] = []
    for result in changed:
        if result.difference.strip("-0.") and len(found) < _MOST_DIFFERING:
            shown = pb.Result()
            shown.CopyFrom(result)
            shown.ClearField("values")
            del shown.score.nodes[:]
            found.append(shown)
    return found


def _doubts(given: Sequence[results.Given]) -> list[str]:
    """What is doubtful and refused by nobody, each once: an instrument for a year in which it was not in force."""
    return sorted({doubt for one in given if (doubt := out_of_force(one.instrument, one.period))})[:_MOST_DOUBTS]
