"""Calls every service all the time, as two kinds of client, and writes a line for each call; and rehearses a cohort.
Runs where the names of the cluster are answered: `python -m deploy.cluster.callers call|rehearse ...`."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from livinglab.assessment.v1 import service_pb2 as assessment
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.benchmark.v1 import service_pb2 as benchmark
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as program
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from nats.errors import Error as NatsError
from pymongo.errors import PyMongoError

from chassis import outgoing
from directory import official_regions
from programs.files.definition import PROGRAMS, check_cohort
from stack.doctor.patient import Servers
from stack.issuer import Issuer
from stack.rehearsal import invariants
from stack.rehearsal.conductor import Conductor
from stack.rehearsal.stage import Stage

SERVICES = ("assessment", "benchmark", "coaching", "notify", "program")
_ADDRESSES = {name: f"{name}:50051" for name in SERVICES}
_EVERY_SECONDS, _PATIENCE, _SETTLE_SECONDS = 0.4, 5.0, 90.0
_RACE = benchmark.Race(instrument="spbe-2020", period="2022")
_CALLS: dict[str, tuple[Any, str, Any]] = {
    "assessment": (
        AssessmentServiceStub,
        "GetEvaluation",
        assessment.GetEvaluationRequest(evaluation_id="019a0000-0000-7000-8000-000000000000"),
    ),
    "benchmark": (BenchmarkServiceStub, "GetRanking", benchmark.GetRankingRequest(race=_RACE)),
    "coaching": (CoachingServiceStub, "ListCoaches", coaching.ListCoachesRequest(page_size=1)),
    "notify": (NotifyServiceStub, "CountMessages", notify.CountMessagesRequest(cohort_id="nobody")),
    "program": (ProgramServiceStub, "ListCohorts", program.ListCohortsRequest(page_size=1)),
}
# What a caller cannot have done wrong. A caller that means it answers the others by itself.
LOST = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "CANCELLED", "UNAUTHENTICATED"}


def _channels(kind: str, address: str) -> grpc.aio.Channel:
    """`retrying` as our processes and commands call; `plain` with the defaults of the library and no retries."""
    if kind == "retrying":
        return outgoing.channel(address, lambda: "")
    return grpc.aio.insecure_channel(address, options=[("grpc.enable_retries", 0)])


async def call(issuer: Issuer, to: Path) -> None:
    """Until it is told to stop."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    who = (("authorization", f"Bearer {issuer.token('manager')}"),)
    under_way: set[asyncio.Task[None]] = set()
    with to.open("w", buffering=1) as out:

        async def one(kind: str, name: str, method: Any, request: Any) -> None:
            at, code = time.time(), "OK"
            try:
                await method(request, metadata=who, timeout=_PATIENCE)
            except grpc.aio.AioRpcError as error:
                code = error.code().name
            out.write(json.dumps({"at": at, "kind": kind, "to": name, "code": code, "took": time.time() - at}) + "\n")

        calls = [
            (kind, name, getattr(stub(_channels(kind, _ADDRESSES[name])), method), request)
            for kind in ("retrying", "plain")
            for name, (stub, method, request) in _CALLS.items()
        ]
        while not ended.is_set():
            for each in calls:
                task = asyncio.create_task(one(*each))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                await asyncio.sleep(_EVERY_SECONDS / len(calls))
        await asyncio.gather(*under_way)


async def rehearse(issuer: Issuer, to: Path, regions: int, pace: str, folder: Path) -> None:
    """The cohort of 2022 from launch to end, then the invariants; writes what came of it."""
    loaded = check_cohort(PROGRAMS / "cohorts" / "living-lab-2022.yaml", official_regions())
    spec, definition = loaded.cohort.message, loaded.definition.message
    del spec.roster[regions:]
    spec.id, spec.seconds_per_day, spec.rehearsal = f"cluster-{int(time.time())}", pace, True
    stage, began = Stage(_ADDRESSES, issuer, spec.id), time.monotonic()
    cohort = await Conductor(stage, definition, spec, "2022").run(lambda change: None)
    took, servers = time.monotonic() - began, Servers("mongodb://mongod:27017/?replicaSet=rs0", "nats://nats:4222")
    findings: list[invariants.Finding] = []
    until = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < until and not (findings and all(one.holds for one in findings)):
        found = sorted(folder.glob("node-*/kubelet/pods/*/volumes/kubernetes.io~empty-dir/tmp/mails"))
        # A server that is just being replaced is looked at again; whoever judges sees an empty list.
        with contextlib.suppress(OSError, NatsError, PyMongoError):
            findings = await invariants.check(servers, found[-1] if len(found) == 1 else None, cohort, stage.writes)
        await asyncio.sleep(1)
    await stage.close()
    told = {
        "state": cohort_pb2.CohortState.Name(cohort.state),
        "seconds": round(took, 1),
        "ends": [cohort.graduated, cohort.withdrawn, cohort.failed],
        "findings": [[one.what, one.holds, one.found] for one in findings],
    }
    to.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    what, home, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    key = Issuer(home / "issuer")
    asyncio.run(call(key, out) if what == "call" else rehearse(key, out, int(sys.argv[4]), sys.argv[5], home))
