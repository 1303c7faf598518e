"""The console with the services behind it, in the test's own event loop, and a small nation with hostile names."""

import asyncio
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from livinglab.assessment.v1 import results_service_pb2, results_service_pb2_grpc
from livinglab.assessment.v1 import service_pb2 as assessment_pb
from livinglab.assessment.v1 import service_pb2_grpc as assessment_grpc
from livinglab.benchmark.v1 import service_pb2 as benchmark_pb
from livinglab.benchmark.v1 import service_pb2_grpc as benchmark_grpc
from livinglab.program.v1 import directory_service_pb2, directory_service_pb2_grpc

from stack import sign_in
from stack.issuer import Issuer
from stack.ports import free_port
from tests.harness.browsing import Got, cookies, get
from tests.harness.namespace import own_namespace
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

SERVICES = ("assessment", "benchmark", "coaching", "notify", "program")
TEMPORAL_UI = "https://temporal.example"
SUMEDANG, BANDUNG, CITY, PROVINCE = "32.11", "32.04", "32.73", "32"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
INDICATORS = 47


@dataclass
class Console:
    """Where the pages are, and the services behind them."""

    url: str
    services: dict[str, Running]
    nats_url: str

    async def get(self, path: str, **headers: str) -> Got:
        """A page; header names with _ for -."""
        return await get(self.url + path, {name.replace("_", "-"): value for name, value in headers.items()})

    async def imported(self, rows: Iterable[tuple[str, str, str, str, str]]) -> None:
        """Results of institution, instrument, period, indicator (empty: the index), value; published. Returns when
        the race has as many more."""
        listed = list(rows)
        stub = self.services["assessment"].as_role(results_service_pb2_grpc.ResultServiceStub, "manager")
        row: Any = results_service_pb2.ImportRow
        request = results_service_pb2.ImportResultsRequest(
            request_id=uuid.uuid4().hex,
            rows=[
                row(line=n, institution=i, instrument=t, period=p, stage="publication", indicator=item, value=v)
                for n, (i, t, p, item, v) in enumerate(listed, start=2)
            ],
        )
        before = await self._held()
        answer = await stub.ImportResults(iter([request]))
        assert not answer.rejected_count, answer.rejected

        async def heard() -> bool:
            return await self._held() >= before + answer.imported

        await eventually(heard)

    async def _held(self) -> int:
        stub: Any = self.services["benchmark"].as_role(benchmark_grpc.BenchmarkServiceStub, "public")
        answer = await stub.ListRaces(benchmark_pb.ListRacesRequest())
        return sum(race.institutions for race in answer.races)


@pytest.fixture
async def console(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Console]:
    """Everything started, nothing in it."""
    temporal = await own_namespace(servers)
    http = f"127.0.0.1:{free_port()}"
    port = free_port()
    provider = sign_in.server(issuer, port, f"http://{http}")
    async with AsyncExitStack() as stack:
        serving = asyncio.create_task(provider.serve())

        async def end() -> None:
            provider.should_exit = True
            await serving

        stack.push_async_callback(end)
        services = {}
        for name in SERVICES:
            started = running_service(name, servers, issuer, nats_url, temporal_namespace=temporal.namespace)
            services[name] = await stack.enter_async_context(started)
        peers = {name: running.address for name, running in services.items()}
        await stack.enter_async_context(
            running_service(
                "console",
                servers,
                issuer,
                nats_url,
                peers=peers,
                http_listen=http,
                sign_in_url=f"http://127.0.0.1:{port}",
                console_url=f"http://{http}",
                temporal_ui_url=TEMPORAL_UI,
                temporal_namespace=temporal.namespace,
            )
        )
        yield Console(f"http://{http}", services, nats_url)


@pytest.fixture
async def nation(console: Console) -> Console:
    """Three regions and a province over two instruments, one of them of a hostile name."""
    rows = []
    for period, lift in (("2024", 0), ("2025", 1)):
        for code, level in ((SUMEDANG, 3), (BANDUNG, 2), (CITY, 1), (PROVINCE, 2)):
            rows += [
                (code, "spbe-59-2020", period, str(item), str(min(5, level + lift + item % 2)))
                for item in range(1, INDICATORS + 1)
            ]
    rows += [(SUMEDANG, "spbe-5-2018", "2019", "", "2.91"), (BANDUNG, "spbe-5-2018", "2019", "", "1.80")]
    await console.imported(rows)
    await registered(console, "EVIL-1", HOSTILE)
    await console.imported([("EVIL-1", "spbe-59-2020", "2025", str(n), "5") for n in range(1, INDICATORS + 1)])
    return console


async def registered(console: Console, code: str, name: str) -> None:
    """An institution beside the official regions, heard of by everybody."""
    stub: Any = console.services["program"].as_role(directory_service_pb2_grpc.DirectoryServiceStub, "manager")
    row = directory_service_pb2.InstitutionRow(line=2, code=code, name=name, kind="agency")
    request = directory_service_pb2.ImportInstitutionsRequest(request_id=uuid.uuid4().hex, rows=[row])
    answer = await stub.ImportInstitutions(iter([request]))
    assert not answer.rejected_count, answer.rejected


async def signed_in(
    console: Console, role: str, institution: str = "", subject: str = "", agency: str = ""
) -> dict[str, str]:
    """The header of a browser in which that person has signed in, by way of the issuer's own page."""
    begun = await console.get("/sign-in?next=/work")
    assert begun.status == 303
    place = begun.headers["location"]
    assert "code_challenge_method=S256" in place
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(place).query))
    fields = {**asked, "role": role, "institution": institution, "subject": subject, "agency": agency}
    answered = await get(place, data=urllib.parse.urlencode(fields).encode())
    assert answered.status == 303
    started = "; ".join(f"{name}={value}" for name, value in cookies(begun).items())
    back = await get(answered.headers["location"], {"cookie": started})
    assert (back.status, back.headers["location"]) == (303, "/work")
    kept = back.headers.get_all("set-cookie") or []
    assert all("HttpOnly" in one and "Secure" in one and "SameSite=lax" in one for one in kept)
    # The code is good once, and for the browser that has begun.
    assert (await get(answered.headers["location"], {"cookie": started})).status == 403
    return {"cookie": f"__Host-livinglab={cookies(back)['__Host-livinglab']}"}


async def opened(console: Console, instrument: str = "spbe-59-2020") -> str:
    """A self-assessment of Sumedang; its id."""
    stub: Any = console.services["assessment"].as_role(assessment_grpc.AssessmentServiceStub, "manager")
    request = assessment_pb.OpenEvaluationRequest(
        request_id=uuid.uuid4().hex, institution=SUMEDANG, instrument=instrument, period="2026"
    )
    return str((await stub.OpenEvaluation(request)).evaluation.id)
