"""The RPC by which the platform team sees how the facts of a service flow."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from livinglab.common.v1 import flow_service_pb2 as pb
from livinglab.common.v1 import flow_service_pb2_grpc
from nats.js import JetStreamContext

from chassis import mongo
from chassis.events import durables
from chassis.events.standing import standing
from chassis.mongo import Database
from chassis.rpc import Served


class FlowService:
    """Read beside the work, so that it is right also when the work is stuck."""

    def __init__(self, db: Database, js: JetStreamContext, service: str) -> None:
        self._db = db
        self._js = js
        self._service = service
        self._started = datetime.now(UTC)

    async def GetFlow(self, request: pb.GetFlowRequest, context: Any) -> pb.GetFlowResponse:
        """The outbox, the letters, and everybody who listens."""
        now = await standing(self._db)
        listeners = [
            pb.Listener(
                durable=lag.durable,
                waiting=lag.waiting,
                in_hand=lag.in_hand,
                listening=lag.listening,
                oldest_time=mongo.timestamp(lag.since),
            )
            async for lag in durables.lags(self._js, self._service)
        ]
        return pb.GetFlowResponse(
            flow=pb.Flow(
                service=self._service,
                version=version("livinglab"),
                start_time=mongo.timestamp(self._started),
                waiting=now.waiting,
                oldest_time=mongo.timestamp(now.oldest),
                letters_in=now.letters_in,
                letters_out=now.letters_out,
                listeners=sorted(listeners, key=lambda one: one.durable),
            )
        )


def served(db: Database, js: JetStreamContext, service: str) -> Served:
    """What a process that publishes or reacts serves beside its own."""
    descriptor = pb.DESCRIPTOR.services_by_name["FlowService"]
    return Served(descriptor, FlowService(db, js, service), flow_service_pb2_grpc.add_FlowServiceServicer_to_server)
