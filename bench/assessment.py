"""Scoring, the import of a national round of results, and a file of evidence beside a bare GridFS upload."""

import asyncio
import hashlib
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc.aio
import psutil
from livinglab.assessment.v1 import evidence_service_pb2, results_service_pb2
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorGridFSBucket

from bench.rows import Row, at_least, middle, within
from chassis import naming
from cli.assessment.results_file import rows_of
from directory import official_regions
from instruments import instrument_files
from instruments.file import load
from instruments.scoring import Scorer
from stack.system import System

ROUNDS = 5
_INSTRUMENT = "spbe-59-2020"
_EVALUATIONS = 552
_ROWS_AT_ONCE = 1_000
_FILE_BYTES = 50 * 2**20
_MESSAGE_BYTES = 2**20
_SAMPLE_SECONDS = 0.02
_PERIODS = iter(range(1901, 2000))


async def rows(system: System) -> AsyncIterator[Row]:
    """All figures of assessment that need no load of answers."""
    for row in await asyncio.to_thread(scoring):
        yield row
    for row in await import_results(system):
        yield row
    for row in await evidence_upload(system):
        yield row


def scoring() -> list[Row]:
    """The median time of scoring one evaluation of 47 random levels, its predicate and groups included."""
    scorer = Scorer(load(instrument_files()[_INSTRUMENT].read_bytes()))
    given = [{code: Decimal(random.randint(1, 5)) for code in scorer.indicators} for _ in range(500)]
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for values in given:
            scorer.score(values)
        times.append((time.perf_counter() - started) / len(given) * 1e6)
    return [within("scoring", "one SPBE 2020 evaluation scored", middle(times), 200, "µs")]


async def import_results(system: System) -> list[Row]:
    """A file of 552 evaluations, item by item, from the disk until everything is stored; what the process grew by."""
    service = psutil.Process(system.fleet.members["assessment"].pid)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.csv"
        file.write_text(_national_round(str(next(_PERIODS))))
        before = service.memory_info().rss
        peaks = [before]
        watching = asyncio.create_task(_watch(service, peaks))
        async with grpc.aio.insecure_channel(system.fleet.address("assessment")) as channel:
            started = time.perf_counter()
            token = system.fleet.issuer.token("manager")
            answer = await ResultServiceStub(channel).ImportResults(
                _batches(file), metadata=(("authorization", f"Bearer {token}"),), timeout=60
            )
            seconds = time.perf_counter() - started
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    if answer.imported != _EVALUATIONS:
        raise RuntimeError(f"{answer.imported} results were imported: {list(answer.rejected)[:3]}")
    grown = (max(peaks) - before) / 2**20
    what = f"{_EVALUATIONS} evaluations with 47 indicators each"
    return [
        within("import", f"{what} imported", seconds, 20, "s"),
        within("import-memory", f"{what}: growth of the process", grown, 128, "MiB"),
    ]


async def _watch(process: psutil.Process, peaks: list[int]) -> None:
    while True:
        peaks.append(process.memory_info().rss)
        await asyncio.sleep(_SAMPLE_SECONDS)


def _national_round(period: str) -> str:
    """The 552 regions with random levels."""
    lines = ["institution,instrument,period,stage,indicator,level"]
    for code in official_regions():
        lines += [f"{code},{_INSTRUMENT},{period},publication,{n},{random.randint(1, 5)}" for n in range(1, 48)]
    return "\n".join(lines)


def _batches(file: Path) -> Iterator[results_service_pb2.ImportResultsRequest]:
    request = results_service_pb2.ImportResultsRequest(request_id=naming.new_id())
    with file.open("rb") as content:
        for row in rows_of(content):
            request.rows.append(row)
            if len(request.rows) == _ROWS_AT_ONCE:
                yield request
                request = results_service_pb2.ImportResultsRequest(request_id=request.request_id)
        yield request


async def evidence_upload(system: System) -> list[Row]:
    """A file of 50 MB through the service, announced, hashed and checked, and straight into GridFS, in turn."""
    service = psutil.Process(system.fleet.members["assessment"].pid)
    client: Any = AsyncIOMotorClient(system.platform.addresses.mongodb)
    bucket = AsyncIOMotorGridFSBucket(client["bench_bare_files"])
    try:
        async with grpc.aio.insecure_channel(system.fleet.address("assessment")) as channel:
            stub = EvidenceServiceStub(channel)
            token = system.fleet.issuer.token("operator", institution="32.11")
            metadata = (("authorization", f"Bearer {token}"),)
            peaks = [service.memory_info().rss]
            watching = asyncio.create_task(_watch(service, peaks))
            await _ours(stub, metadata)
            await _bare(bucket)
            pairs = [(await _ours(stub, metadata), await _bare(bucket)) for _ in range(ROUNDS)]
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        await client.drop_database("bench_bare_files")
        client.close()
    ours, bare = middle([pair[0] for pair in pairs]), middle([pair[1] for pair in pairs])
    what = "a file of 50 MB"
    return [
        at_least("evidence-upload", f"{what}, beside a bare GridFS upload", ours, bare, "MiB/s", 0.5),
        within(
            "evidence-memory", f"{what}: six of them, growth of the process", (max(peaks) - peaks[0]) / 2**20, 50, "MiB"
        ),
    ]


async def _ours(stub: Any, metadata: Any) -> float:
    content = _content()
    started = time.perf_counter()
    request = evidence_service_pb2.StartUploadRequest(
        request_id=naming.new_id(),
        institution="32.11",
        file_name="evidence.pdf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        document_date="2022-03-01",
    )
    upload = (await stub.StartUpload(request, metadata=metadata, timeout=30)).upload

    def messages() -> Iterator[evidence_service_pb2.SendUploadRequest]:
        for start in range(0, len(content), _MESSAGE_BYTES):
            data = content[start : start + _MESSAGE_BYTES]
            yield evidence_service_pb2.SendUploadRequest(upload_id=upload.id, offset=start, data=data)

    answer = await stub.SendUpload(messages(), metadata=metadata, timeout=60)
    if not answer.upload.HasField("evidence"):
        raise RuntimeError("the upload is not complete")
    return _rate(started)


async def _bare(bucket: Any) -> float:
    content = _content()
    started = time.perf_counter()
    await bucket.upload_from_stream("evidence.pdf", content)
    return _rate(started)


def _content() -> bytes:
    return b"%PDF-1.7\n" + os.urandom(_FILE_BYTES - 9)


def _rate(started: float) -> float:
    return _FILE_BYTES / 2**20 / (time.perf_counter() - started)
