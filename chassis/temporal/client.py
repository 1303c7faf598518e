"""The way to a Temporal server: one client for everybody who speaks to it."""

from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.runtime import Runtime
from temporalio.service import TLSConfig

from chassis.config import Settings
from chassis.temporal import bridge_exit, payloads


def tls(settings: Settings) -> TLSConfig | bool:
    """As the settings say; with mutual TLS it shows what this process shows to the others. Read once: who renews the
    certificate shown to Temporal rolls the processes."""
    if not settings.temporal_tls:
        return False
    shown = settings.tls_mutual and settings.tls_certificate and settings.tls_key
    return TLSConfig(
        server_root_ca_cert=_read(settings.temporal_tls_authorities),
        client_cert=_read(settings.tls_certificate) if shown else None,
        client_private_key=_read(settings.tls_key) if shown else None,
    )


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


async def connect(
    address: str, namespace: str, secured: TLSConfig | bool = False, runtime: Runtime | None = None
) -> Client:
    """A client whose calls carry the trace; RuntimeError while the server is not there. The process that has one ends
    with the exit code that is its own. Whose figures are told has the runtime of `sdk_figures`."""
    bridge_exit.wait_at_exit()
    return await Client.connect(
        address,
        namespace=namespace,
        tls=secured,
        data_converter=payloads.CONVERTER,
        interceptors=[TracingInterceptor()],
        runtime=runtime,
    )
