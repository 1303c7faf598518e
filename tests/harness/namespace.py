"""A namespace of Temporal for one test: the workers of others do not see its workflows."""

import uuid

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from chassis.temporal.client import connect
from services.program.engine import visibility
from tests.harness.servers import Servers
from tests.harness.waiting import eventually


async def new_namespace(servers: Servers) -> Client:
    """A client of it, not yet told of search attributes."""
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    default = await connect(servers.temporal_address, "default")
    day = Duration(seconds=86_400)
    await default.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=day)
    )
    return await connect(servers.temporal_address, namespace)


async def own_namespace(servers: Servers) -> Client:
    """A client of one that takes workflows."""
    return await ready(await new_namespace(servers))


async def ready(client: Client) -> Client:
    """The same client, once its namespace takes our workflows."""

    async def known() -> bool:
        await visibility.register_search_attributes(client)
        return True

    # The server needs a moment to know of a namespace that is new.
    await eventually(known, ignoring=(visibility.NotRegistered,), timeout=30)
    return client
