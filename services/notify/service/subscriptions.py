"""Leaving a kind of letters without signing in."""

from typing import Any

from livinglab.notify.v1 import inbox_service_pb2, subscription_service_pb2_grpc
from livinglab.notify.v1 import subscription_service_pb2 as pb

from chassis import mongo
from chassis.errors import not_found
from services.notify.model import preferences, seats
from services.notify.model import subscriptions as model
from services.notify.store.messages import Store
from services.notify.store.preferences import PreferenceStore


class SubscriptionService(subscription_service_pb2_grpc.SubscriptionServiceServicer):
    """The contract, on the letters and the preferences of their readers."""

    def __init__(self, store: Store, wishes: PreferenceStore, addresses: model.Addresses) -> None:
        self._store = store
        self._wishes = wishes
        self._addresses = addresses

    async def GetSubscription(self, request: pb.GetSubscriptionRequest, context: Any) -> pb.GetSubscriptionResponse:
        seat, kind = await self._left(request.token)
        wanted = (await self._wishes.of([seat])).get(seat, inbox_service_pb2.Preferences())
        return pb.GetSubscriptionResponse(kind=kind, ended=model.ended(wanted, kind))

    async def Unsubscribe(self, request: pb.UnsubscribeRequest, context: Any) -> pb.UnsubscribeResponse:
        seat, kind = await self._left(request.token)

        async def decide(tx: mongo.Tx) -> pb.UnsubscribeResponse:
            wanted = (await self._wishes.of([seat], tx)).get(seat, inbox_service_pb2.Preferences())
            await self._wishes.set(tx, seat, model.without(wanted, kind))
            return pb.UnsubscribeResponse(kind=kind)

        return await self._store.db.once(request, decide, pb.UnsubscribeResponse)

    async def _left(self, token: str) -> tuple[str, str]:
        """Whose letter it is, and of which kind."""
        if not (letter := self._addresses.letter(token)):
            raise not_found("letter", token)
        message = await self._store.get(letter)
        return seats.of(message.recipient), preferences.kind(message.template)
