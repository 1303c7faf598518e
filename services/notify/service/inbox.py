"""What somebody was told, as they find it on the platform, and how they want to be told."""

from collections.abc import AsyncIterator
from typing import Any

from livinglab.notify.v1 import inbox_service_pb2 as pb
from livinglab.notify.v1 import inbox_service_pb2_grpc

from chassis import auth, mongo
from chassis.errors import denied, invalid
from services.notify.model import preferences, seats
from services.notify.store.inbox import Arrivals, InboxStore
from services.notify.store.preferences import PreferenceStore


class InboxService(inbox_service_pb2_grpc.InboxServiceServicer):
    """The contract, on the stores and what arrives."""

    def __init__(self, store: InboxStore, wishes: PreferenceStore, arrivals: Arrivals) -> None:
        self._store = store
        self._wishes = wishes
        self._arrivals = arrivals

    async def ListInbox(self, request: pb.ListInboxRequest, context: Any) -> pb.ListInboxResponse:
        seat = _seat()

        async def read(tx: mongo.Tx) -> pb.ListInboxResponse:
            entries, token = await self._store.page(seat, request, tx)
            unread = await self._store.unread(seat, request.rehearsal, tx)
            return pb.ListInboxResponse(entries=entries, next_page_token=token, unread=unread)

        # Of one moment: what comes between would be counted and not shown.
        return await self._store.db.transaction(read)

    async def MarkRead(self, request: pb.MarkReadRequest, context: Any) -> pb.MarkReadResponse:
        seat = _seat()

        async def decide(tx: mongo.Tx) -> pb.MarkReadResponse:
            await self._store.mark(tx, seat, request.message_ids, read=not request.unread)
            return pb.MarkReadResponse(unread=await self._store.unread(seat, "", tx))

        return await self._store.db.once(request, decide, pb.MarkReadResponse)

    async def WatchInbox(self, request: pb.WatchInboxRequest, context: Any) -> AsyncIterator[pb.WatchInboxResponse]:
        seat = _seat()
        async for entry in self._arrivals.watch(seat, request.rehearsal):
            yield pb.WatchInboxResponse(entry=entry, unread=await self._store.unread(seat, request.rehearsal))

    async def GetPreferences(self, request: pb.GetPreferencesRequest, context: Any) -> pb.GetPreferencesResponse:
        seat = _seat()
        return pb.GetPreferencesResponse(preferences=(await self._wishes.of([seat])).get(seat, pb.Preferences()))

    async def SetPreferences(self, request: pb.SetPreferencesRequest, context: Any) -> pb.SetPreferencesResponse:
        seat = _seat()
        if faults := list(preferences.violations(request.preferences)):
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.SetPreferencesResponse:
            await self._wishes.set(tx, seat, request.preferences)
            return pb.SetPreferencesResponse(preferences=request.preferences)

        return await self._store.db.once(request, decide, pb.SetPreferencesResponse)


def _seat() -> str:
    """The caller's. PERMISSION_DENIED for one who acts for no institution, where their role is of one."""
    caller = auth.caller()
    found = seats.seat(caller.role, caller.identity.institution, caller.subject)
    if not found:
        raise denied("NO_INSTITUTION", f"{caller.subject} acts for no institution")
    return found
