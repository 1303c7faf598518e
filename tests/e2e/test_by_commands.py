"""A real cohort of eight, from its launch to its last graduation, by the commands that people have and nothing else."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.harness.terminal import Person, eventually_does
from tests.harness.waiting import eventually

EIGHT = ("32.11", "32.04", "32.05", "32.78", "33.22", "33.74", "16.06", "32.10")
PLACE = ZoneInfo("Asia/Jakarta")
COHORT = "batch-1"
COACH = "coach-sari"
# Commands at the same time, for two cores.
TOGETHER = 3


def program_of_today(folder: Path) -> Path:
    """A definition whose only phase is open today, and a cohort of eight with it; both as files that people write."""
    today = datetime.now(PLACE).date()
    begun = datetime.now(PLACE) - timedelta(minutes=30)
    starts = min(begun, begun.replace(hour=0, minute=1)) if begun.date() == today else begun.replace(minute=0)
    ends = starts + timedelta(minutes=20)
    (folder / "hari-ini.yaml").write_text(f"""
id: hari-ini
version: 1
title: Lokakarya hari ini
source: invented for this test
time_zone: Asia/Jakarta
role_model: "32.11"
phases:
  - id: workshop
    title: Lokakarya
    title_en: Workshop
    opens: {starts.date() - timedelta(days=1)}
    closes: {today + timedelta(days=20)}
    invites: [head, operator, regent]
    sessions:
      - id: bimtek
        title: Bimbingan teknis
        place: Jatinangor
        start: {starts:%Y-%m-%dT%H:%M}
        end: {ends:%Y-%m-%dT%H:%M}
        time_zone: Asia/Jakarta
    duties:
      - {{id: attended, kind: attend, roles: [operator], required: true}}
      - {{id: assessed, kind: self_assess, instrument: spbe-59-2020, period: "{today.year}", required: true}}
      - {{id: planned, kind: plan_approved, required: true}}
      - {{id: signed, kind: sign_commitment, required: true}}
    gate: {{quorum_percent: 100, on_miss: hold}}
""")
    people = "\n".join(
        f'  - institution: "{code}"\n    people:\n'
        + "\n".join(
            f"      - {{role: {role}, name: {role} {code}, email: {role}@r{code.replace('.', '')}.example}}"
            for role in ("operator", "head", "regent")
        )
        for code in EIGHT
    )
    cohort = folder / "angkatan-1.yaml"
    cohort.write_text(f"""
id: {COHORT}
title: Angkatan pertama
definition: hari-ini
rehearsal: false
roster:
{people}
""")
    return cohort


async def region(home: Path, code: str, session: str, levels: Path, year: int) -> None:
    """What the people of one region do, each by a command of their own."""
    operator, head, regent = (Person(home, role, code, f"{role}-{code}") for role in ("operator", "head", "regent"))
    owed = await operator.asks("duties")
    assert {one["duty"] for one in owed} == {"attended", "assessed", "planned", "signed"}
    assert {one["state"] for one in owed} == {"due"}
    await operator.does("session", "attend", session, "--role", "operator", "--name", f"Operator {code}")
    opened = await operator.asks(
        *("assessment", "open", code, "--instrument", "spbe-59-2020", "--period", str(year), "--cohort", COHORT)
    )
    await operator.does("assessment", "answer", opened["id"], "--file", str(levels))
    await head.does("assessment", "submit", opened["id"])
    await eventually_does(operator, "plan", "draft", COHORT)
    [plan] = await operator.asks("plan", "list", COHORT)
    await head.does("plan", "submit", plan["id"])
    coach = Person(home, "coach", subject=COACH)
    await coach.does("plan", "approve", plan["id"])
    action = plan["actions"][0]["id"]
    await operator.does("plan", "complete", plan["id"], action, "--link", "https://jdih.example/12")
    await regent.does("agreement", "sign", COHORT, "workshop", "--name", f"Bupati {code}")


@pytest.mark.timeout(600)
async def test_a_real_cohort_of_eight_is_run_by_commands_alone(home: Path, tmp_path: Path) -> None:
    manager = Person(home, "manager", subject="manager-1")
    code, _, err = await manager.run("up")
    assert code == 0, err
    await manager.does("coach", "register", COACH, "--name", "Sari, S.Kom., M.T.", "--email", "sari@univ.example")
    cohort = program_of_today(tmp_path)
    await manager.does("cohort", "validate", str(cohort))
    await manager.does("cohort", "launch", str(cohort))
    for one in EIGHT:
        await manager.does("coach", "assign", COHORT, one, "--coach", COACH)

    async def session() -> Any:
        found = await manager.asks("session", "list", COHORT)
        return found[0]["id"] if found else None

    meeting = await eventually(session, timeout=60)
    levels = tmp_path / "tingkat.csv"
    levels.write_text("indicator,level\n" + "".join(f"{n},2\n" for n in range(1, 48)))
    year = datetime.now(PLACE).year
    turns = asyncio.Semaphore(TOGETHER)

    async def in_turn(one: str) -> None:
        async with turns:
            await region(home, one, meeting, levels, year)

    await asyncio.gather(*(in_turn(one) for one in EIGHT))

    async def over() -> Any:
        found = await manager.asks("cohort", "status", COHORT)
        return found if found["state"] == "completed" else None

    ended = await eventually(over, timeout=120)
    assert (ended["participants"], ended["graduated"]) == (8, 8)
    status = await manager.does("cohort", "status", COHORT)
    assert max(map(len, status.splitlines())) <= 80, status
    assert "Lokakarya" in status or "Workshop" in status
    people = await manager.does("cohort", "participants", COHORT)
    assert "Kabupaten Sumedang" in people
    assert "signing the joint commitment" in status
    assert await Person(home, "operator", EIGHT[0]).asks("duties") == []
    report = await manager.asks("cohort", "report", COHORT)
    assert report["actions_done"] == 8
    assert datetime.fromisoformat(ended["ended"]) <= datetime.now(UTC)
