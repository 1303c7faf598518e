"""What every actor uses: channels to the services, a token for each role, and a count of the acknowledged writes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.assessment.v1.verification_pb2_grpc import VerificationServiceStub
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.coaching.v1.minutes_service_pb2_grpc import MinutesServiceStub
from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

from chassis import naming, rpc
from chassis.errors import Kind, Refused
from chassis.status import from_rpc_error
from stack.issuer import Issuer

R = TypeVar("R", bound=Message)

_AWAY = frozenset({Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.ABORTED})

_AGAIN_SECONDS = 0.5
# The most that any list gives at once.
_PAGE = 1_000
# Facts travel between services; what rests on one that is still under way is asked for again. It is on its way for as
# long as something is away, so the waiting counts from the last outage on.
_PATIENCE_SECONDS = 60.0
# Nobody waits for a service that never comes back.
_GIVE_UP_SECONDS = 600.0


@dataclass
class Writes:
    """What the actors wrote, counted by kind; the invariants hold the databases to it."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    # Nobody heard the end of these: their actor left with the play while they were under way.
    unanswered: Counter[str] = field(default_factory=Counter)


@dataclass
class Stage:
    """The public API, as any client outside sees it."""

    addresses: dict[str, str]
    issuer: Issuer
    cohort_id: str
    writes: Writes = field(default_factory=Writes)
    refused: Counter[str] = field(default_factory=Counter)
    # When something was away the last time, by the loop's clock; anybody's, for what one waits for rests on others.
    last_outage: float = 0.0
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

    def plans(self) -> Any:
        """Stub of what people do with their plans."""
        return PlanServiceStub(self._channel("coaching"))

    def verification(self) -> Any:
        """Stub of what assessors and managers do with an evaluation."""
        return VerificationServiceStub(self._channel("assessment"))

    def minutes(self) -> Any:
        """Stub of what sessions lead to."""
        return MinutesServiceStub(self._channel("coaching"))

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
        self.writes.unanswered[what] += 1
        try:
            answer = await self._asked(method, request, who)
        except Refused as refused:
            self.writes.unanswered[what] -= 1
            self.refused[refused.reason] += 1
            raise
        self.writes.unanswered[what] -= 1
        self.writes.acknowledged[what] += 1
        return answer

    async def read(
        self,
        method: Callable[..., Awaitable[R]],
        request: Message,
        who: tuple[tuple[str, str], ...],
        found: Callable[[R], object] = bool,
    ) -> R:
        """What is read, asked again while the service is away or, for as long as a fact may be under way, until
        `found`; then as it is. Refused for good: Refused."""
        clock = asyncio.get_running_loop().time
        started = clock()
        while True:
            answer = await self._asked(method, request, who)
            if found(answer) or clock() - max(started, self.last_outage) > _PATIENCE_SECONDS:
                return answer
            await asyncio.sleep(_AGAIN_SECONDS)

    async def pages(
        self, method: Callable[..., Awaitable[R]], request: Message, who: tuple[tuple[str, str], ...]
    ) -> list[R]:
        """Every page of a list."""
        request.page_size = _PAGE  # type: ignore[attr-defined]
        found = [await self._asked(method, request, who)]
        while token := found[-1].next_page_token:  # type: ignore[attr-defined]
            request.page_token = token  # type: ignore[attr-defined]
            found.append(await self._asked(method, request, who))
        return found

    async def _asked(
        self, method: Callable[..., Awaitable[R]], request: Message, who: tuple[tuple[str, str], ...]
    ) -> R:
        clock = asyncio.get_running_loop().time
        started = clock()
        while True:
            try:
                return await method(request, metadata=who)
            except grpc.aio.AioRpcError as error:
                refused = from_rpc_error(error)
                if refused.kind in _AWAY:
                    self.last_outage = clock()
                elif not _under_way(refused) or clock() - max(started, self.last_outage) > _PATIENCE_SECONDS:
                    raise refused from error
                if clock() - started > _GIVE_UP_SECONDS:
                    raise refused from error
            await asyncio.sleep(_AGAIN_SECONDS)

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()


def _under_way(refused: Refused) -> bool:
    """What it rests on may be on its way here."""
    return refused.kind == Kind.NOT_FOUND or refused.reason in ("NO_EVALUATION", "NO_COACH")
