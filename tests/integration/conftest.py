"""Program on real servers, its workflows in a Temporal namespace of their own: no other test's worker takes them."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from stack.issuer import Issuer
from tests.harness.namespace import own_namespace
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service


@pytest.fixture
async def temporal(servers: Servers) -> Client:
    return await own_namespace(servers)


@pytest.fixture
async def program(servers: Servers, issuer: Issuer, nats_url: str, temporal: Client) -> AsyncIterator[Running]:
    namespace = temporal.namespace
    async with running_service("program", servers, issuer, nats_url, temporal_namespace=namespace) as running:
        yield running
