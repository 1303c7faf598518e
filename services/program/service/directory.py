"""RPCs of the directory: one method is one use case: read, decide, one transaction, answer."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from livinglab.program.v1 import directory_service_pb2 as pb
from livinglab.program.v1 import directory_service_pb2_grpc
from livinglab.program.v1.directory_events_pb2 import InstitutionRegistered

from chassis import pages
from chassis.errors import invalid_field, not_found
from directory import Institution, official_regions
from directory.known import Directory
from services.program.model import institution
from services.program.store.directory import DirectoryStore

_MOST_REJECTED = 2_000


class DirectoryService(directory_service_pb2_grpc.DirectoryServiceServicer):
    """The contract, on one store; `known` is what this process knows, and is told of an import at once."""

    def __init__(self, store: DirectoryStore, known: Directory) -> None:
        self._store = store
        self._known = known

    async def ImportInstitutions(
        self, request_iterator: AsyncIterator[pb.ImportInstitutionsRequest], context: Any
    ) -> pb.ImportInstitutionsResponse:
        head, rows, digest = pb.ImportInstitutionsRequest(), list[pb.InstitutionRow](), hashlib.sha256()
        async for request in request_iterator:
            if not head.request_id:
                head.request_id, head.validate_only = request.request_id, request.validate_only
            elif request.request_id != head.request_id:
                raise invalid_field("request_id", "is another one than in the first message")
            for row in request.rows:
                digest.update(row.SerializeToString(deterministic=True))
            rows += request.rows
            institution.require_count(len(rows))
        if not head.request_id:
            raise invalid_field("messages[0]", "is required: the stream was empty")
        head.digest = digest.digest()
        return await self._taken(head, rows)

    async def _taken(
        self, head: pb.ImportInstitutionsRequest, rows: Sequence[pb.InstitutionRow]
    ) -> pb.ImportInstitutionsResponse:
        """All of them or none; nothing is stored where a row is bad."""
        changed: list[str] = []

        async def judge() -> tuple[pb.ImportInstitutionsResponse, Sequence[InstitutionRegistered]]:
            registered = await self._store.registered()
            # Beside the calls of others: it takes a second for the largest file.
            found = await asyncio.to_thread(institution.judged, rows, registered)
            institution.require_count(0, len(registered.keys() | {one.code for one in found.changed}))
            if found.rejected:
                rejected = found.rejected[:_MOST_REJECTED]
                return pb.ImportInstitutionsResponse(rejected=rejected, rejected_count=len(found.rejected)), []
            changed[:] = [one.code for one in found.changed]
            answer = pb.ImportInstitutionsResponse(imported=len(found.changed), unchanged=found.unchanged)
            return answer, [institution.fact(one) for one in found.changed]

        if head.validate_only:
            return (await judge())[0]
        answer = await self._store.writes.once(head, judge, pb.ImportInstitutionsResponse)
        # As they are stored now: a repeated request changes nothing, and another one may have come after.
        self._known.learn(await self._store.among(changed))
        return answer

    async def WithdrawInstitution(
        self, request: pb.WithdrawInstitutionRequest, context: Any
    ) -> pb.WithdrawInstitutionResponse:
        if not request.reason.strip():
            raise invalid_field("reason", "is required")

        async def judge() -> tuple[pb.WithdrawInstitutionResponse, Sequence[InstitutionRegistered]]:
            registered = await self._store.registered()
            gone = institution.withdrawn(request.code, request.reason.strip(), registered)
            return pb.WithdrawInstitutionResponse(institution=_message(gone)), [institution.fact(gone)]

        answer = await self._store.writes.once(request, judge, pb.WithdrawInstitutionResponse)
        self._known.learn(await self._store.among([request.code]))
        return answer

    async def ListInstitutions(self, request: pb.ListInstitutionsRequest, context: Any) -> pb.ListInstitutionsResponse:
        size, after = pages.size(request), pages.after(request)
        keys = {key: getattr(request, key) for key in ("kind", "parent") if getattr(request, key)}
        official = [
            region
            for code, region in official_regions().items()
            if code > after and all(getattr(region, key) == value for key, value in keys.items())
        ]
        # Read from the store, so that whoever has imported sees it, whichever replica answers.
        found = [*official, *await self._store.first(keys, after, size + 1)]
        found.sort(key=lambda one: one.code)
        return pb.ListInstitutionsResponse(
            institutions=[_message(one) for one in found[:size]],
            next_page_token=pages.token(request, found[size - 1].code) if len(found) > size else "",
        )

    async def GetInstitution(self, request: pb.GetInstitutionRequest, context: Any) -> pb.GetInstitutionResponse:
        found = official_regions().get(request.code) or await self._store.find(request.code)
        if found is None:
            raise not_found("institution", request.code)
        return pb.GetInstitutionResponse(institution=_message(found))


def _message(one: Institution) -> pb.Institution:
    return pb.Institution(code=one.code, name=one.name, kind=one.kind, parent=one.parent, version=one.version)
