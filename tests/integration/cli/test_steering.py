"""`livinglab cohort pause`, `override`, `enrol`, `report` ... as people and scripts run them, on a cohort that runs."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb

from tests.harness.cohorts.program import BANDUNG, GARUT, SUMEDANG, Neighbours, launching, manager, working
from tests.harness.service import Running
from tests.harness.waiting import eventually

WHY = ("--reason", "an election")


@pytest.fixture
async def neighbours(program: Running) -> AsyncIterator[Neighbours]:
    async with working(program) as found:
        yield found


@pytest.fixture
async def cohort(program: Running, neighbours: Neighbours) -> str:
    """A cohort whose first phase is open."""
    request = launching(SUMEDANG, BANDUNG, GARUT)
    request.definition.phases[0].gate.two_persons = True
    await manager(program).LaunchCohort(request)

    async def opened() -> bool:
        answer = await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=request.cohort.id))
        return bool(answer.cohort.phases[0].state == cohort_pb2.PHASE_STATE_OPEN)

    await eventually(opened)
    return request.cohort.id


async def livinglab(
    program: Running, verb: str, *arguments: str, role: str = "manager", who: str = "manager-1"
) -> tuple[int, str, str]:
    told = {
        "LIVINGLAB_ADDRESS_PROGRAM": program.address,
        "LIVINGLAB_TOKEN": program.issuer.token(role, subject=who),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "cohort", verb, *arguments),
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def done(program: Running, verb: str, *arguments: str, **caller: str) -> Any:
    code, out, err = await livinglab(program, verb, *arguments, "--json", **caller)
    assert (code, err) == (0, ""), (verb, arguments)
    return json.loads(out)


async def test_orders_about_phases(program: Running, cohort: str) -> None:
    before = await done(program, "status", cohort)
    paused = await done(program, "pause", cohort, *WHY, "--request-id", "p1")
    assert paused["cohort"]["state"] == "paused"
    assert (await done(program, "pause", cohort, *WHY, "--request-id", "p1"))["cohort"] == paused["cohort"]
    code, out, err = await livinglab(program, "pause", cohort, *WHY)
    assert (code, out, err) == (1, "", "refused: the cohort is paused already\n")
    assert (await done(program, "resume", cohort, *WHY))["cohort"]["paused"] is None
    await done(program, "extend", cohort, "governance", "--days", "2", *WHY)
    moved = (await done(program, "move", cohort, "summit", "--days", "1", *WHY))["cohort"]
    assert moved["phases"][2]["sessions"][0]["start"] > before["phases"][2]["sessions"][0]["start"]
    proposed = await done(program, "override", cohort, "governance", "--excuse", *WHY)
    assert proposed["awaiting_second"] is True
    assert proposed["cohort"]["phases"][0]["proposals"][0]["actor"] == "manager-1"
    code, out, _ = await livinglab(program, "status", cohort)
    assert "manager-1 proposes excuse" in out
    seconded = await done(program, "override", cohort, "governance", "--excuse", *WHY, who="manager-2")
    assert seconded["awaiting_second"] is False

    async def closed() -> bool:
        return bool((await done(program, "status", cohort))["phases"][0]["state"] == "closed")

    await eventually(closed)
    opened = await done(program, "reopen", cohort, "governance", "--days", "3", *WHY)
    assert opened["cohort"]["phases"][0]["state"] == "open"
    entries = await done(program, "audit", cohort)
    assert [entry["command"] for entry in entries] == [
        "launch",
        "pause",
        "resume",
        "reschedule",
        "reschedule",
        "override",
        "override",
        "reopen",
    ]
    assert {entry["actor"] for entry in entries[1:]} == {"manager-1", "manager-2"}


async def test_orders_about_participants(program: Running, cohort: str, tmp_path: Path) -> None:
    person = "head:New Head:new@sumedang.example"
    await done(program, "replace", cohort, SUMEDANG, "--person", person, *WHY)
    roster = tmp_path / "late.csv"
    lines = [f"32.06,{role},Somebody,{role}@tasik.example,id" for role in ("secretary", "head", "operator", "regent")]
    roster.write_text("institution,role,name,email,language\n" + "\n".join(lines) + "\n")
    enrolled = await done(program, "enrol", cohort, str(roster), *WHY, "--request-id", "late")
    assert (enrolled["enrolled"], enrolled["cohort"]["participants"]) == (["32.06"], 4)
    again = await done(program, "enrol", cohort, str(roster), *WHY, "--request-id", "late")
    assert again["cohort"]["participants"] == 4
    code, _, err = await livinglab(program, "enrol", cohort, "--institution", "32.07", "--person", person, *WHY)
    assert code == 1
    assert "32.07 has no secretary" in err
    split = await done(program, "split", cohort, f"{cohort}-2", BANDUNG, "32.06", "--title", "Second", *WHY)
    assert split["cohort"]["id"] == cohort
    assert (await done(program, "status", f"{cohort}-2"))["split_from"] == cohort
    code, _, err = await livinglab(program, "resolve", cohort, GARUT, "--dismiss", *WHY)
    assert (code, err) == (1, f"refused: {GARUT} has no problem to resolve\n")
    code, _, err = await livinglab(program, "readmit", cohort, GARUT, *WHY)
    assert (code, err) == (1, f"refused: {GARUT} is in the cohort\n")
    for _ in range(2):
        await done(program, "withdraw", cohort, GARUT, *WHY, "--request-id", "w1")
    listed = {p["institution"]: p for p in await done(program, "participants", cohort)}
    entries = await done(program, "audit", cohort)
    assert [entry["institution"] for entry in entries if entry["command"] == "withdraw"] == [GARUT]
    assert (listed[BANDUNG]["moved_to"], listed[GARUT]["moved_to"]) == (f"{cohort}-2", "")


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("pause", ()),
        ("extend", ("governance", *WHY)),
        ("override", ("governance", *WHY)),
        ("override", ("governance", "--close", "--stop", *WHY)),
        ("enrol", WHY),
        ("replace", (SUMEDANG, "--person", "chief:X:x@y.example", *WHY)),
    ],
)
async def test_what_is_not_said_in_full_is_wrong_usage(program: Running, verb: str, arguments: tuple[str, ...]) -> None:
    code, out, err = await livinglab(program, verb, "any", *arguments)
    assert (code, out) == (2, "")
    assert err


async def test_a_report_for_people_programs_and_the_web(program: Running, cohort: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    found = await done(program, "report", cohort, "--html", str(page))
    assert [p["phase"] for p in found["phases"]] == ["governance", "workshop", "summit", "follow-up"]
    assert (found["gained"], found["cohort"]["id"]) == (0, cohort)
    assert page.read_text().startswith("<!doctype html>")
    code, out, _ = await livinglab(program, "report", cohort, role="platform")
    assert code == 0
    assert "attendance of" in out
    code, _, err = await livinglab(program, "report", cohort, "--html", str(tmp_path / "no" / "such.html"))
    assert (code, err.count("\n")) == (1, 1)
    code, _, err = await livinglab(program, "report", "nobody")
    assert (code, err) == (1, "refused: cohort nobody does not exist\n")
    code, out, _ = await livinglab(program, "audit", cohort)
    assert (code, "launch" in out) == (0, True)
