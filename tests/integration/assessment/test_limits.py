"""What one file of earlier results may hold at most, tried at its value and one beyond, while others go on."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest
from livinglab.assessment.v1 import results_events_pb2 as pb_events
from livinglab.assessment.v1 import results_service_pb2 as pb
from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub

from chassis.errors import Kind
from directory import official_regions
from services.assessment.model.results import MOST_RESULTS, MOST_ROWS
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

CODES = [one.code for one in official_regions().values() if one.kind != "provinsi" and one.code < "90"]
SPBE, ITEMS = "spbe-59-2020", 47
# So many results of all items, two of them with an index beside, and an index each of the others.
WHOLE = (MOST_ROWS - MOST_RESULTS) // (ITEMS - 1)
BESIDE = MOST_ROWS - MOST_RESULTS - WHOLE * (ITEMS - 1)


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield running


def row(n: int, value: str = "") -> pb.ImportRow:
    """A row of the nth result."""
    n, code = divmod(n, len(CODES))
    n, stage = divmod(n, 4)
    year, half = divmod(n, 2)
    stages = ("publication", "document", "interview", "visit")
    return pb.ImportRow(
        institution=CODES[code],
        instrument=SPBE,
        period=f"{2019 + year}-{half + 1}",
        stage=stages[stage],
        value=value,
    )


def of_items(n: int) -> list[pb.ImportRow]:
    plain, found = row(n, "3"), []
    for item in range(1, ITEMS + 1):
        one = pb.ImportRow()
        one.CopyFrom(plain)
        one.indicator = str(item)
        found.append(one)
    return found


async def imported(assessment: Running, rows: Sequence[pb.ImportRow]) -> pb.ImportResultsResponse:
    id_ = uuid.uuid4().hex
    answer: pb.ImportResultsResponse = await assessment.as_role(ResultServiceStub, "manager").ImportResults(
        pb.ImportResultsRequest(request_id=id_, rows=rows[at : at + 2_000]) for at in range(0, len(rows), 2_000)
    )
    return answer


async def counted(assessment: Running) -> list[int]:
    wanted = {"results": {}, "outbox": {"type": pb_events.ResultImported.DESCRIPTOR.full_name}, "requests": {}}
    return [await assessment.db[name].count_documents(query) for name, query in wanted.items()]


@pytest.mark.timeout(300)
async def test_as_many_rows_and_results_as_a_file_may_have_are_taken_in_one_call_and_one_more_stores_nothing(
    assessment: Running,
) -> None:
    indices = [row(n, "3.00") for n in range(MOST_RESULTS + 1)]
    for beyond in (indices, indices[:1] * (MOST_ROWS + 1)):
        refused = await refusal(imported(assessment, beyond))
        assert (refused.kind, refused.reason) == (Kind.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE")
    assert await counted(assessment) == [0, 0, 0]

    whole = [one for n in range(WHOLE) for one in of_items(n)]
    rows = [*whole, *indices[WHOLE:MOST_RESULTS], *indices[:BESIDE]]
    assert len(rows) == MOST_ROWS
    importing = asyncio.create_task(imported(assessment, rows))
    waits = await _waits(assessment, importing)
    answer = await importing
    assert (answer.imported, list(answer.rejected)) == (MOST_RESULTS, [])
    assert await counted(assessment) == [MOST_RESULTS, MOST_RESULTS, 1]
    print(f"others: {len(waits)} calls, p99 {waits[int(len(waits) * 0.99)]:.3f} s")  # noqa: T201
    # Others wait a little longer than alone, and none for the whole file.
    assert waits[int(len(waits) * 0.99)] < 1


async def _waits(assessment: Running, until: "asyncio.Task[pb.ImportResultsResponse]") -> list[float]:
    """Seconds that each call of somebody else takes meanwhile, the shortest first."""
    public, found = assessment.as_role(ResultServiceStub, "public"), []
    while not until.done():
        since = time.monotonic()
        await public.ListResults(pb.ListResultsRequest(institution="32.11", page_size=1))
        found.append(time.monotonic() - since)
    return sorted(found)
