"""`livinglab doctor` on a platform that runs: everything holds, and what is spoilt is named with what mends it."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import results_service_pb2 as results_pb
from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub
from livinglab.program.v1 import cohort_pb2
from pymongo import AsyncMongoClient

from stack.doctor.examination import examine, settled
from stack.doctor.finding import Finding
from stack.home import Home
from stack.system import System, start_system
from tests.harness.system import carried_through
from tests.harness.waiting import eventually

NOW = timedelta()
# Others are of a validation's stages, which nobody submits.
SUBMITTED = {"period": "2023", "stage": "self-assessment"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = asyncio.run(start_system(Home(tmp_path_factory.mktemp("system"))))
    asyncio.run(carried_through(started, "examined"))
    yield started
    asyncio.run(started.stop())


async def broken(system: System) -> dict[str, Finding]:
    return {finding.what: finding for finding in await examine(system.servers(), NOW) if not finding.holds}


async def doctor(system: System, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The command's exit code and what it tells machines."""
    servers = system.servers()
    told = {
        "LIVINGLAB_HOME": str(system.home.folder),
        "LIVINGLAB_MONGO_URI": servers.mongodb,
        "LIVINGLAB_NATS_URL": servers.nats,
        "LIVINGLAB_TEMPORAL_ADDRESS": servers.temporal,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "doctor", "--json", *arguments),
        env={**os.environ, **told, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, json.loads(out)


async def test_everything_holds_after_a_cohort(system: System) -> None:
    findings = await settled(system.servers(), 30, NOW)
    assert [f"{finding.what}: {finding.found}" for finding in findings if not finding.holds] == []
    assert all(finding.mend for finding in findings)


async def test_a_result_that_was_taken_out_again_is_not_behind_its_facts(system: System) -> None:
    key = {"institution": "32.10", "instrument": "spbe-59-2020", "period": "2022", "stage": "publication"}
    metadata = (("authorization", f"Bearer {system.fleet.issuer.token('manager')}"),)
    async with grpc.aio.insecure_channel(system.addresses()["assessment"]) as channel:
        stub = ResultServiceStub(channel)
        row = results_pb.ImportRow(line=2, value="2.70", **key)
        brought = results_pb.ImportResultsRequest(request_id="brought-in", rows=[row])
        assert (await stub.ImportResults(iter([brought]), metadata=metadata)).imported == 1
        out = results_pb.WithdrawResultRequest(
            request_id="taken-out",
            institution="32.10",
            instrument="spbe-59-2020",
            period="2022",
            stage=evaluation_pb2.STAGE_PUBLICATION,
            reason="brought in by mistake",
        )
        await stub.WithdrawResult(out, metadata=metadata)
    async with AsyncMongoClient[dict[str, Any]](system.servers().mongodb) as client:
        kept = client["benchmark"]["results"]
        await eventually(lambda: kept.find_one({"withdrawn_from.institution": "32.10"}))
    findings = await settled(system.servers(), 30, NOW)
    assert [f"{finding.what}: {finding.found}" for finding in findings if not finding.holds] == []


@pytest.mark.parametrize(
    ("service", "collection", "query", "change", "what", "mend"),
    [
        ("benchmark", "results", SUBMITTED, None, "each submission has one result in the race", "rebuild"),
        (
            "program",
            "participants",
            {"cohort": "examined"},
            {"$set": {"state": cohort_pb2.PARTICIPANT_STATE_ACTIVE}},
            "participants = active + graduated + withdrawn + failed",
            "restore",
        ),
        ("program", "participants", {"cohort": "examined"}, None, "participants = active", "restore"),
        (
            "coaching",
            "plans",
            {"cohort_id": "examined"},
            {"$set": {"version": 1}},
            "what the facts tell is in their owners' databases",
            "restore",
        ),
        ("coaching", "inbox", {}, None, "every fact that was settled had its effect", "durable"),
        ("notify", "messages", {}, {"$set": {"rehearsal": ""}}, "no rehearsal left anything", "makers"),
        # The relay looks for what is pending when it starts, and at inserts from then on.
        ("assessment", "outbox", {}, {"$set": {"pending": True}}, "every stored fact is published", "NATS"),
    ],
)
async def test_what_is_spoilt_is_named_with_what_mends_it(
    system: System, service: str, collection: str, query: dict[str, Any], change: Any, what: str, mend: str
) -> None:
    async with AsyncMongoClient[dict[str, Any]](system.servers().mongodb) as client:
        spoilt = client[service][collection]
        before = await spoilt.find_one(query)
        assert before
        if change is None:
            await spoilt.delete_one({"_id": before["_id"]})
        else:
            await spoilt.update_one({"_id": before["_id"]}, change)
        try:
            found = await broken(system)
        finally:
            await spoilt.replace_one({"_id": before["_id"]}, before, upsert=True)
    [named] = [finding for name, finding in found.items() if name.startswith(what)]
    assert mend in named.mend
    assert not await broken(system)


async def test_a_cohort_without_its_workflow_is_named(system: System) -> None:
    async with AsyncMongoClient[dict[str, Any]](system.servers().mongodb) as client:
        row = await client["program"]["cohorts"].find_one({"_id": "examined"})
        assert row
        orphan = {
            **row,
            "_id": "orphan",
            "state": cohort_pb2.COHORT_STATE_RUNNING,
            "participants": 0,
            "realm": "orphan",
        }
        await client["program"]["cohorts"].insert_one(orphan)
        found = await broken(system)
        await client["program"]["cohorts"].delete_one({"_id": "orphan"})
    assert "orphan has no workflow" in found["what runs in the database runs in Temporal"].found


async def test_the_command_tells_machines_and_its_exit_code_says_whether_all_holds(system: System) -> None:
    code, findings = await doctor(system)
    assert [finding for finding in findings if not finding["ok"]] == []
    assert code == 0
    assert all(set(finding) == {"invariant", "ok", "found", "mend"} and finding["ok"] for finding in findings)
    async with AsyncMongoClient[dict[str, Any]](system.servers().mongodb) as client:
        row = await client["benchmark"]["results"].find_one_and_delete(SUBMITTED)
        code, findings = await doctor(system, "--patience", "0")
        assert row
        await client["benchmark"]["results"].insert_one(row)
    assert code == 1
    broken = {finding["invariant"]: finding["mend"] for finding in findings if not finding["ok"]}
    assert broken.get("each submission has one result in the race") == "livinglab benchmark rebuild", broken
