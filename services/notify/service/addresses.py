"""Addresses to which no letter goes any more, for those who know people's other ones."""

from typing import Any

from livinglab.notify.v1 import address_service_pb2 as pb
from livinglab.notify.v1 import address_service_pb2_grpc

from chassis import mongo
from services.notify.store.addresses import AddressStore


class AddressService(address_service_pb2_grpc.AddressServiceServicer):
    """The contract, on the store."""

    def __init__(self, store: AddressStore) -> None:
        self._store = store

    async def ListUndeliverable(
        self, request: pb.ListUndeliverableRequest, context: Any
    ) -> pb.ListUndeliverableResponse:
        found, token = await self._store.page(request)
        return pb.ListUndeliverableResponse(addresses=found, next_page_token=token)

    async def RestoreAddress(self, request: pb.RestoreAddressRequest, context: Any) -> pb.RestoreAddressResponse:
        async def decide(tx: mongo.Tx) -> pb.RestoreAddressResponse:
            await self._store.restore(tx, request.email)
            return pb.RestoreAddressResponse()

        return await self._store.db.once(request, decide, pb.RestoreAddressResponse)
