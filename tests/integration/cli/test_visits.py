"""`livinglab visit` and `livinglab session` as people and scripts run them, against a running coaching."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.coaching.v1 import service_pb2 as pb

from instruments import instrument_files
from instruments.file import load
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, called_by, request_id
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

WORKSHOP = f"{COHORT}.workshop"
# No test of ours lives to see it.
YEAR = datetime.now(UTC).year + 2


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def token(coaching: Running, who: str) -> str:
    """Of a manager, or of somebody of the visitor; `host` is an operator of the host."""
    role, institution = {"manager": ("manager", ""), "host": ("operator", SUMEDANG)}.get(who, (who, BANDUNG))
    return coaching.issuer.token(role, institution=institution)


async def livinglab(coaching: Running, who: str, *arguments: str) -> tuple[int, str, str]:
    told = {
        "LIVINGLAB_ADDRESS_COACHING": coaching.address,
        "LIVINGLAB_TOKEN": token(coaching, who),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def done(coaching: Running, who: str, *arguments: str) -> Any:
    code, out, err = await livinglab(coaching, who, *arguments, "--json")
    assert (code, err) == (0, ""), arguments
    return json.loads(out)


async def test_a_visit_from_its_plan_to_its_lessons(coaching: Running) -> None:
    where = ("--host", SUMEDANG, "--cohort", COHORT, "--phase", "visit")
    visit = await done(coaching, "operator", "visit", "plan", *where, "--start", "2022-10-03", "--end", "2022-10-04")
    assert (visit["visitor"], visit["host"], visit["end"], visit["state"]) == (
        BANDUNG,
        SUMEDANG,
        "2022-10-04",
        "planned",
    )
    lessons = ("--lesson", "10, 35-2=Satu akun = satu pintu", "--lesson", "Pimpinan = pengguna pertama")
    early = await livinglab(coaching, "operator", "visit", "confirm", visit["id"], *lessons)
    assert early[0] == 1
    await done(coaching, "host", "visit", "accept", visit["id"])
    held = await done(coaching, "operator", "visit", "confirm", visit["id"], *lessons)
    assert held["lessons"] == [
        {"text": "Satu akun = satu pintu", "indicators": ["10", "35-2"]},
        {"text": "Pimpinan = pengguna pertama", "indicators": []},
    ]
    assert await done(coaching, "manager", "visit", "list", "--cohort", COHORT) == [held]
    said = ("--text", "Satu akun", "--due", "2022-12-01", "--indicator", "35", "--owner", "Diskominfo")
    [duty] = (await done(coaching, "operator", "visit", "duty", visit["id"], *said))["duties"]
    followed = await done(coaching, "operator", "visit", "done", visit["id"], duty["id"], "--outcome", "Berjalan")
    assert followed == await done(coaching, "host", "visit", "follow-up", visit["id"])
    assert followed["duties"][0]["outcome"] == "Berjalan"
    shown = await done(coaching, "manager", "visit", "share", "--cohort", COHORT)
    assert (shown["held"], shown["followed"], shown["share"]) == (1, 1, "100.00")
    code, out, _ = await livinglab(coaching, "operator", "visit", "list", "--institution", BANDUNG)
    assert code == 0
    assert visit["id"] in out
    code, _, err = await livinglab(coaching, "operator", "visit", "cancel", visit["id"], "--reason", "Banjir")
    assert (code, "was held" in err) == (1, True)


async def test_coaches_are_given_to_a_cohort_and_one_drops_out(coaching: Running) -> None:
    for who in ("sri", "budi"):
        about = ("--name", who, "--email", "a@coach.example", "--capacity", "2", "--zone", "Asia/Jakarta")
        more = ("--expertise", "spbe-59-2020:3=2", "--language", "id", "--from", "Telkom University")
        coach = await done(coaching, "manager", "coach", "register", who, *about, *more)
        assert coach["expertise"] == [{"instrument": "spbe-59-2020", "aspect": "3", "grade": 2}]
    whom = ("--institution", BANDUNG, "--institution", SUMEDANG, "--choose", f"{BANDUNG}=sri")
    seen = await done(coaching, "manager", "coach", "assign-all", COHORT, *whom, "--dry-run")
    made = await done(coaching, "manager", "coach", "assign-all", COHORT, *whom)
    assert made == seen
    assert (made[0]["coach"], made[0]["chosen"]) == ("sri", True)
    [moved] = await done(coaching, "manager", "coach", "replace", COHORT, "sri", "--reason", "Cuti")
    assert (moved["institution"], moved["coach"]) == (BANDUNG, "budi")
    regions = await done(coaching, "manager", "coach", "regions", "--coach", "budi")
    assert {one["institution"] for one in regions} == {BANDUNG, SUMEDANG}


async def test_a_planned_visit_is_called_off(coaching: Running) -> None:
    where = ("--host", SUMEDANG, "--start", "2022-10-03", "--institution", BANDUNG)
    visit = await done(coaching, "manager", "visit", "plan", *where)
    code, out, _ = await livinglab(coaching, "manager", "visit", "cancel", visit["id"], "--reason", "Banjir")
    assert (code, out.strip()) == (0, f"{visit['id']}: {BANDUNG} to {SUMEDANG}, 2022-10-03 to 2022-10-03, is cancelled")
    [listed] = await done(coaching, "manager", "visit", "list")
    assert (listed["state"], listed["reason"]) == ("cancelled", "Banjir")


async def test_a_session_is_moved_then_cancelled(coaching: Running) -> None:
    request = pb.ScheduleSessionRequest(
        request_id=request_id(), session_id=WORKSHOP, cohort_id=COHORT, phase="workshop", title="Lokakarya"
    )
    request.time_zone = "Asia/Jakarta"
    request.start_time.FromDatetime(datetime(YEAR, 11, 7, 2, tzinfo=UTC))
    request.end_time.FromDatetime(datetime(YEAR, 11, 7, 5, tzinfo=UTC))
    await called_by(coaching, "manager").ScheduleSession(request)
    [listed] = await done(coaching, "operator", "session", "list", COHORT)
    assert (listed["start"], listed["state"]) == (f"{YEAR}-11-07T09:00+07:00", "scheduled")
    times = ("--start", f"{YEAR}-11-14T10:00+08:00", "--end", f"{YEAR}-11-14T13:00+08:00")
    moved = await done(coaching, "manager", "session", "move", WORKSHOP, *times, "--reason", "Gedung dipakai")
    assert (moved["start"], moved["reason"]) == (f"{YEAR}-11-14T09:00+07:00", "Gedung dipakai")
    code, out, _ = await livinglab(coaching, "manager", "session", "cancel", WORKSHOP, "--reason", "Banjir")
    assert (code, "is cancelled" in out, "Banjir" in out) == (0, True, True)
    [listed] = await done(coaching, "operator", "session", "list", COHORT)
    assert listed == {**moved, "state": "cancelled", "reason": "Banjir"}
    code, out, _ = await livinglab(coaching, "operator", "session", "list", COHORT)
    assert (code, "cancelled" in out) == (0, True)


async def test_what_is_no_time_is_wrong_usage_and_one_of_an_unknown_place_needs_its_offset(coaching: Running) -> None:
    times = ("--start", "tomorrow", "--end", f"{YEAR}-11-14T13:00+08:00")
    code, _, err = await livinglab(coaching, "manager", "session", "move", WORKSHOP, *times, "--reason", "r")
    assert (code, "is no time such as" in err) == (2, True)
    times = ("--start", f"{YEAR}-11-14T10:00", "--end", f"{YEAR}-11-14T13:00")
    code, _, err = await livinglab(coaching, "manager", "session", "move", WORKSHOP, *times, "--reason", "r")
    assert (code, "give times with their offset" in err) == (1, True)


async def test_a_practice_from_its_draft_to_a_copy(coaching: Running) -> None:
    instrument = load(instrument_files()["spbe-59-2020"].read_bytes())
    heard = assessment_pb.InstrumentPublished(instrument_id="spbe-59-2020", instrument=instrument)
    await coaching.hear(heard, aggregate_id="instrument:spbe-59-2020")
    await eventually(lambda: coaching.db["instruments"].find_one({}))
    said = ("--title", "Satu akun", "--kind", "G2C", "--instrument", "spbe-59-2020", "--level", "35=4")
    more = (
        "--summary",
        "Satu pintu",
        "--step",
        "Bentuk tim",
        "--contact-name",
        "Sri",
        "--contact",
        "sri@dinas.example",
    )
    link = ("--evidence", "Perbup=https://jdih.example/1?a=b")
    draft = await done(coaching, "host", "practice", "add", *said, *more, *link)
    assert (draft["state"], draft["levels"]) == ("draft", [{"indicator": "35", "level": "4"}])
    assert draft["evidence"] == [{"title": "Perbup", "url": "https://jdih.example/1?a=b"}]
    await done(coaching, "manager", "practice", "publish", draft["id"])
    [listed] = await done(coaching, "operator", "practice", "list", "--indicator", "35", "--kind", "g2c")
    assert listed["state"] == "published"
    copy = await done(coaching, "operator", "practice", "replicate", draft["id"], "--note", "Mulai Mei")
    await done(coaching, "host", "practice", "answer", copy["id"], "--accept")
    await done(coaching, "operator", "practice", "report", copy["id"], "--outcome", "Berjalan")
    [told] = await done(coaching, "host", "practice", "replications")
    assert (told["state"], told["outcome"]) == ("replicated", "Berjalan")
    code, out, _ = await livinglab(coaching, "operator", "practice", "show", draft["id"])
    assert (code, "copied by 1 of 1" in out) == (0, True)
    code, _, err = await livinglab(coaching, "operator", "practice", "for")
    assert (code, "no submitted evaluation" in err) == (1, True)
