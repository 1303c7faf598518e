"""What every actor stands on: channels to the services, a token for each role, and a count of what was acknowledged."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

from chassis import naming, rpc
from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from stack.issuer import Issuer

R = TypeVar("R", bound=Message)

_AGAIN_SECONDS = 0.2
# Facts travel between services; what rests on one that is still under way is asked for again.
_PATIENCE_SECONDS = 30.0


@dataclass
class Stage:
    """The public API, as any client outside sees it."""

    addresses: dict[str, str]
    issuer: Issuer
    cohort_id: str
    # Kind of write to how many were acknowledged; the invariants hold the databases to it.
    acknowledged: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    _channels: dict[str, Any] = field(default_factory=dict)
    _tokens: dict[tuple[str, str, str], tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def _channel(self, service: str) -> Any:
        if service not in self._channels:
            self._channels[service] = rpc.channel(self.addresses[service], lambda: "")
        return self._channels[service]

    def assessment(self) -> Any:
        """Stub of the assessment service."""
        return AssessmentServiceStub(self._channel("assessment"))

    def benchmark(self) -> Any:
        """Stub of the benchmark service."""
        return BenchmarkServiceStub(self._channel("benchmark"))

    def coaching(self) -> Any:
        """Stub of the coaching service."""
        return CoachingServiceStub(self._channel("coaching"))

    def notify(self) -> Any:
        """Stub of the notify service."""
        return NotifyServiceStub(self._channel("notify"))

    def program(self) -> Any:
        """Stub of the program service."""
        return ProgramServiceStub(self._channel("program"))

    def as_role(self, role: str, institution: str = "", subject: str = "") -> tuple[tuple[str, str], ...]:
        """Metadata of a person of that role, with a token of their own."""
        key = (role, institution, subject)
        if key not in self._tokens:
            token = self.issuer.token(role, institution=institution, subject=subject)
            self._tokens[key] = (("authorization", f"Bearer {token}"),)
        return self._tokens[key]

    async def write(
        self, what: str, method: Callable[..., Awaitable[R]], request: Message, who: tuple[tuple[str, str], ...]
    ) -> R:
        """One write, under a request_id of its own that a repeat keeps: sent again while the service is away or a
        fact is under way. Refused for good: Refused."""
        request.request_id = request.request_id or naming.new_id()  # type: ignore[attr-defined]
        async with asyncio.timeout(_PATIENCE_SECONDS * 4):
            started = asyncio.get_running_loop().time()
            while True:
                try:
                    answer = await method(request, metadata=who)
                    self.acknowledged[what] += 1
                    return answer
                except grpc.aio.AioRpcError as error:
                    refused = from_rpc_error(error)
                    waited = asyncio.get_running_loop().time() - started
                    if not _may_pass(refused, waited):
                        self.refused[refused.reason] += 1
                        raise refused from error
                await asyncio.sleep(_AGAIN_SECONDS)

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()


def _may_pass(refused: Refused, waited: float) -> bool:
    if refused.kind in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.ABORTED):
        return True
    under_way = refused.kind == Kind.NOT_FOUND or refused.reason in ("NO_EVALUATION", "NO_COACH")
    return under_way and waited < _PATIENCE_SECONDS
