"""Random requests to every method: whatever comes in, a typed answer goes out, never UNKNOWN or INTERNAL."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
import pytest
from google.protobuf import message_factory
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import service_pb2, understanding_pb2, verification_pb2

from chassis import auth
from instruments.file import load
from stack.issuer import Issuer
from stack.servers import nats
from tests.harness.evaluation import BANDUNG, DOCUMENT, INTERVIEW, REVIEW, SPBE, SUMEDANG, People, answers
from tests.harness.generated.fuzzed_service import drawn_until
from tests.harness.generated.random_messages import messages
from tests.harness.servers import Servers
from tests.harness.service import BOUND, running_service

T = TypeVar("T")
SERVICES = [
    service_pb2.DESCRIPTOR.services_by_name["AssessmentService"],
    verification_pb2.DESCRIPTOR.services_by_name["VerificationService"],
    understanding_pb2.DESCRIPTOR.services_by_name["UnderstandingService"],
]
METHODS = [method for service in SERVICES for method in service.methods]
TYPED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
EXAMPLES = 200
SECONDS = 10.0
IDS = [f"r{n}" for n in range(10_000)]
FOUR = Path(__file__).parents[2] / "data" / "instruments" / "four-components.yaml"


@dataclass
class Fuzzed:
    """A service in a loop of its own, so that hypothesis can call it from this one's outside."""

    loop: asyncio.AbstractEventLoop
    people: People
    ids: list[str]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the service's loop, with a bound on the time."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(4 * SECONDS)

    async def call(self, method: Any, request: Message, role: str, institution: str) -> grpc.StatusCode:
        """The code of the answer."""
        return await self.send(method, request.SerializeToString(), role, institution)

    async def send(self, method: Any, content: bytes, role: str, institution: str) -> grpc.StatusCode:
        """The code of the answer to these bytes."""
        response = message_factory.GetMessageClass(method.output_type)
        channel = self.people.stub(_channel, role, "ani", institution)
        path = f"/{method.containing_service.full_name}/{method.name}"
        try:
            await channel.unary_unary(path, bytes, response.FromString)(content, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


def _channel(channel: grpc.aio.Channel) -> grpc.aio.Channel:
    return channel


async def in_every_stage(people: People) -> list[str]:
    """An evaluation in each state that there is; ani assesses, citra reviews."""
    ids = []
    for steps in range(1, 11):
        await people.open(str(2010 + steps))
        ids.append(people.evaluation_id)
        course: list[Callable[[], Awaitable[object]]] = [
            lambda: people.answer(answers("3")),
            people.submit,
            lambda: people.assign("ani"),
            lambda: people.conclude(DOCUMENT),
            lambda: people.conclude(INTERVIEW),
            lambda: people.review_all(but=["3"]),
            people.review_all,
            lambda: people.conclude(REVIEW),
            people.determine,
            people.publish,
        ]
        for step in course[:steps]:
            await step()
    return ids


@pytest.fixture(scope="module")
def fuzzed(servers: Servers, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    broker = nats(tmp_path_factory.mktemp("fuzz") / "nats")
    asyncio.run(broker.start())
    loop, ready = asyncio.new_event_loop(), threading.Event()
    started: list[Fuzzed] = []
    stopping = asyncio.Event()

    async def serve() -> None:
        async with running_service("assessment", servers, issuer, broker.uri) as running:
            people = People(running)
            started.append(Fuzzed(loop, people, await in_every_stage(people)))
            ready.set()
            await stopping.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        assert started, "the service did not start"
        yield started[0]
        loop.call_soon_threadsafe(stopping.set)
    finally:
        thread.join()
        loop.close()
        asyncio.run(broker.stop())


@st.composite
def _almost_sound(draw: st.DrawFn) -> Message:
    """An instrument that is sound but for what is drawn."""
    instrument = load(FOUR.read_bytes())
    instrument.version = draw(st.integers(1, 3))
    instrument.title = draw(st.sampled_from(["Four equal components", "\x00"]))
    instrument.id = draw(st.sampled_from(["four-components", "four-components", "four.", "a..b", "a:b", "x" * 33]))
    odd = draw(st.integers(0, 7))
    if odd < 4:
        instrument.nodes[odd].number = draw(st.sampled_from(["V", "1-2", "", "."]))
    if odd == 4:
        instrument.predicates[1].min = draw(st.sampled_from(["0", "0.1", "9" * 13, "NaN"]))
    return service_pb2.PublishInstrumentRequest(request_id=draw(st.sampled_from(IDS)), instrument=instrument)


def _one_base(request: Message, choice: int) -> Message:
    """Mostly an evaluation or an instrument with values, for the method that refuses both."""
    for field in (["evaluation_id"], ["instrument", "instrument_version", "values"], [])[choice]:
        request.ClearField(field)
    return request


def _requests(method: Any, pools: dict[str, list[str]]) -> st.SearchStrategy[Message]:
    random = messages(method.input_type, pools)
    if method.name == "WhatIf":
        return st.builds(_one_base, random, st.integers(0, 2))
    return st.one_of(random, _almost_sound()) if method.name == "PublishInstrument" else random


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_no_input_is_answered_by_a_crash(fuzzed: Fuzzed, method: Any) -> None:
    roles = [auth.role_name(role) for role in auth.policy_of(method).roles]
    pools = {
        "request_id": IDS,
        "evaluation_id": fuzzed.ids,
        "etag": ["", "", "", "1", "5"],
        "indicator": ["1", "2", "3", "47", "48", "1-2"],
        "indicators": ["1", "2", "99"],
        "value": ["1", "3", "5", "2.0", "6", "-1", ""],
        "wanted_value": ["4", "5", "9"],
        "published_index": ["", "3", "2.64", "2.641", "9"],
        "due_date": ["", "2022-12-01", "2022-W01-1", "2022-02-30"],
        "decree_date": ["2022-12-01"],
        "instrument": [SPBE, SPBE, "spbe-1", ""],
        "institution": [SUMEDANG, BANDUNG, "99.99", ""],
        "period": ["2022", "2023-1"],
        "assessor": ["ani", "budi", "operator"],
        "rehearsal": ["", "", "try-1"],
        "cohort_id": ["", "try-1"],
        "page_token": ["", "", "YQ==", "!!"],
        "id": [SPBE, "new-1", "a..b"],
        "weight": ["", "50", "100"],
        "min": ["1", "0", "1.8"],
        "max": ["5", "1"],
        "kind": ["indicator", "aspect"],
        "number": ["1", "2", "3"],
    }

    codes: list[grpc.StatusCode] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    @given(_requests(method, pools), st.sampled_from(roles), st.sampled_from([SUMEDANG, SUMEDANG, BANDUNG]))
    def check(request: Message, role: str, institution: str) -> None:
        bound = institution if role in BOUND else ""
        code = fuzzed.run(fuzzed.call(method, request, role, bound))
        assert code in TYPED, (code, role)
        codes.append(code)

    drawn_until(lambda: any(code != grpc.StatusCode.INVALID_ARGUMENT for code in codes), check)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_bytes_that_are_no_message_are_refused(fuzzed: Fuzzed, method: Any) -> None:
    role = auth.role_name(auth.policy_of(method).roles[0])
    bound = SUMEDANG if role in BOUND else ""
    # Lengths and a key that run out.
    for content in (b"\x0a\xff", b"\x0a\x01", b"\xff"):
        assert fuzzed.run(fuzzed.send(method, content, role, bound)) == grpc.StatusCode.INVALID_ARGUMENT
