"""Program with its worker on real servers, in a namespace of its own, beside neighbours that take every call."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.duration_pb2 import Duration
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import service_pb2 as pb
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from chassis.runtime import Process
from services.program import visibility, worker
from services.program.engine import connect
from stack.ports import free_ports
from tests.harness.cohort import living_lab
from tests.harness.servers import Servers
from tests.harness.service import Running
from tests.harness.waiting import eventually

_NEIGHBOURS = ("assessment", "coaching", "notify")
_ROLES = (
    options_pb2.ROLE_SECRETARY,
    options_pb2.ROLE_HEAD,
    options_pb2.ROLE_OPERATOR,
    options_pb2.ROLE_REGENT,
)


class Neighbours(grpc.GenericRpcHandler):
    """Assessment, coaching and notify: they answer every call with nothing in particular."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """For any method of any service."""
        name = handler_call_details.method.strip("/").replace("/", ".")
        method = descriptor_pool.Default().FindMethodByName(name)
        answer = message_factory.GetMessageClass(method.output_type)

        async def take(request: bytes, context: Any) -> Any:
            return answer()

        return grpc.unary_unary_rpc_method_handler(take, response_serializer=answer.SerializeToString)


async def own_namespace(servers: Servers) -> Client:
    """A client of a new namespace that takes workflows: other tests' workers do not see them."""
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    default = await connect(servers.temporal_address, "default")
    day = Duration(seconds=86_400)
    await default.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=day)
    )
    client = await connect(servers.temporal_address, namespace)

    async def known() -> bool:
        await visibility.register_search_attributes(client)
        return True

    # The server needs a moment to know of a namespace that is new.
    await eventually(known, ignoring=(visibility.NotRegistered,), timeout=30)
    return client


@asynccontextmanager
async def working(program: Running, build_id: str = "") -> AsyncIterator[Process]:
    """A worker of that build, and neighbours for it to call."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Neighbours(),))
    played, listen, metrics = free_ports(3)
    server.add_insecure_port(f"127.0.0.1:{played}")
    await server.start()
    changed = {
        "peers": dict.fromkeys(_NEIGHBOURS, f"127.0.0.1:{played}"),
        "listen": f"127.0.0.1:{listen}",
        "metrics_listen": f"127.0.0.1:{metrics}",
        "build_id": build_id,
    }
    async with AsyncExitStack() as stack:
        process = Process("program-worker", program.process.settings.model_copy(update=changed), stack)
        await worker.main(process)
        try:
            yield process
        finally:
            process.stopping.set()
            assert await process.finish() == 0
            await server.stop(None)


def person(role: options_pb2.Role.ValueType) -> definition_pb2.Person:
    """Somebody who is invited."""
    name = options_pb2.Role.Name(role).removeprefix("ROLE_").lower()
    return definition_pb2.Person(role=role, name=f"The {name}", email=f"{name}@example.go.id", language="en")


def launching(*institutions: str, seconds_per_day: str = "600") -> pb.LaunchCohortRequest:
    """The living lab with these participants, under a name of its own."""
    definition = living_lab()
    people = [person(role) for role in _ROLES]
    cohort = definition_pb2.CohortSpec(
        id=f"test-{uuid.uuid4().hex[:12]}",
        title="A cohort",
        definition=definition.id,
        rehearsal=True,
        seconds_per_day=seconds_per_day,
        roster=[definition_pb2.Participant(institution=code, people=people) for code in institutions],
    )
    return pb.LaunchCohortRequest(request_id=uuid.uuid4().hex, definition=definition, cohort=cohort)
