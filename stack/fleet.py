"""Our own processes: the table of them, what each is told, when each is ready."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stack import sign_in
from stack.embedded import Addresses
from stack.home import Home
from stack.issuer import AUDIENCE, ISSUER, Issuer
from stack.process import Process, python_argv

# One that waits for a server is not ended for it: it says what for, and goes on when it is there.
_READY_SECONDS = 3_600.0
_POLL_SECONDS = 0.05
_PROJECT = Path(__file__).resolve().parents[1]

# name: module. A name is also the host name of the process on Kubernetes.
MEMBERS = {
    "assessment": "services.assessment",
    "benchmark": "services.benchmark",
    "coaching": "services.coaching",
    "notify": "services.notify",
    "program": "services.program",
    "program-worker": "services.program.worker",
    "console": "services.console",
}
CONSOLE_HTTP, SIGN_IN = "console_http", "sign_in"


@dataclass
class Fleet:
    """The processes of one platform, each to be stopped, killed and started again by name."""

    home: Home
    servers: Addresses
    ports: Mapping[str, int]
    issuer: Issuer
    settings: Mapping[str, str] = field(default_factory=dict)
    members: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write_token()
        for name, module in MEMBERS.items():
            log = self.home.logs / f"{name}.log"
            self.members[name] = Process(
                name, python_argv(module), log_path=log, env=self._environment(name), cwd=_PROJECT
            )

    def address(self, name: str) -> str:
        """gRPC address of a process."""
        return f"127.0.0.1:{self.ports[name]}"

    @property
    def console(self) -> str:
        """Where the pages are: the public race itself."""
        return f"http://127.0.0.1:{self.ports[CONSOLE_HTTP]}"

    def write_token(self) -> None:
        """The token that our processes show to each other; to be renewed within a day."""
        path = self.home.folder / "system.token"
        new = path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(self.issuer.token("system", subject="livinglab"))
        new.replace(path)

    async def start(self, name: str) -> None:
        """Starts one and waits until it serves."""
        await self.members[name].start()
        await self.wait_ready(name)

    async def wait_ready(self, name: str) -> None:
        """Until its health says SERVING; ProcessFailed with the end of its log if it ends before."""
        await self.members[name].wait_ready(_serving(self.address(name)), timeout=_READY_SECONDS)

    async def start_again(self, names: Iterable[str]) -> None:
        """Starts some that were stopped."""
        async with asyncio.TaskGroup() as starting:
            for name in names:
                starting.create_task(self.start(name))

    async def start_all(self) -> None:
        """Starts all at once, in no order: each waits for what it needs."""
        await self.start_again(self.members)

    async def stop_all(self) -> None:
        """Stops all at once."""
        await asyncio.gather(*(member.stop(grace=15) for member in self.members.values()))

    def _environment(self, name: str) -> dict[str, str]:
        peers = {other: self.address(other) for other in MEMBERS}
        return {
            "LIVINGLAB_MONGO_URI": self.servers.mongodb,
            "LIVINGLAB_NATS_URL": self.servers.nats,
            "LIVINGLAB_TEMPORAL_ADDRESS": self.servers.temporal,
            "LIVINGLAB_TEMPORAL_UI_URL": self.servers.temporal_ui,
            "LIVINGLAB_SMTP_ADDRESS": self.servers.smtp,
            "LIVINGLAB_REHEARSAL_SMTP_ADDRESS": self.servers.rehearsal_smtp,
            "LIVINGLAB_LISTEN": self.address(name),
            "LIVINGLAB_METRICS_LISTEN": f"127.0.0.1:{self.ports[f'{name}_metrics']}",
            "LIVINGLAB_HTTP_LISTEN": f"127.0.0.1:{self.ports[CONSOLE_HTTP]}",
            **(sign_in.configuration(self.console, self.ports[SIGN_IN]) if name == "console" else {}),
            "LIVINGLAB_PEERS": json.dumps(peers),
            "LIVINGLAB_JWKS_URL": self.issuer.jwks_url,
            "LIVINGLAB_TOKEN_ISSUER": ISSUER,
            "LIVINGLAB_TOKEN_AUDIENCE": AUDIENCE,
            "LIVINGLAB_TOKEN_FILE": str(self.home.folder / "system.token"),
            "LIVINGLAB_TRACE_FILE": str(self.home.traces),
            # The console calls for its visitors from here.
            "LIVINGLAB_TRUSTED_PROXIES": json.dumps(["127.0.0.1/32"]),
            "GRPC_VERBOSITY": "ERROR",
            **self.settings,
        }


def port_names() -> list[str]:
    """What the fleet needs a port for."""
    return [CONSOLE_HTTP, SIGN_IN, *(name for member in MEMBERS for name in (member, f"{member}_metrics"))]


async def _serving(address: str) -> None:
    options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=2)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.aio.AioRpcError:
                pass
            await asyncio.sleep(_POLL_SECONDS)
