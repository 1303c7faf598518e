"""The way to a Temporal server: one client for everybody who speaks to it."""

from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor

from chassis import (
    bridge_exit,  # noqa: F401  for what it does at exit
    payloads,
)


async def connect(address: str, namespace: str) -> Client:
    """A client whose calls carry the trace; RuntimeError while the server is not there."""
    return await Client.connect(
        address, namespace=namespace, data_converter=payloads.CONVERTER, interceptors=[TracingInterceptor()]
    )
