"""One trace from the command line through gRPC, outbox, stream, reaction, workflow and the calls of its activities."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.monitoring import asked as figures
from stack.home import Home, held
from stack.system import System, start_system
from tests.harness.waiting import eventually

PROJECT = Path(__file__).resolve().parents[2]
COHORT = """\
id: traced
title: Traced
definition: living-lab-2022
rehearsal: true
seconds_per_day: "2"
roster:
  - institution: "32.11"
    people:
"""
PERSON = "      - {{role: {role}, name: {role} of Sumedang, email: {role}@sumedang.example, language: en}}\n"
# In the order of their becoming: who writes the span, and what its name begins with.
STATIONS = [
    ("program", "livinglab.program.v1.ProgramService/LaunchCohort"),
    ("program", "publish program.v1.CohortLaunched.traced"),
    ("program", "react livinglab.program.v1.CohortLaunched"),
    ("program-worker", "RunActivity:start_participants"),
    ("program-worker", "RunActivity:notify_people"),
    ("notify", "livinglab.notify.v1.NotifyService/SendMessages"),
    ("coaching", "livinglab.coaching.v1.CoachingService/ScheduleSession"),
    ("coaching", "publish coaching.v1.SessionScheduled"),
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = Home(tmp_path_factory.mktemp("system"))
    # As `up` does, so that commands find it.
    with held(home):
        started = asyncio.run(start_system(home))
        yield started
        asyncio.run(started.stop())


def livinglab(system: System, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env={**os.environ, "LIVINGLAB_HOME": str(system.home.folder)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def spans(path: Path) -> list[tuple[str, str, str]]:
    """Trace, process and name of every whole line."""
    found = []
    for line in path.read_text().splitlines():
        try:
            span = json.loads(line)
        except ValueError:
            continue
        process = span["resource"]["attributes"]["service.name"]
        found.append((span["context"]["trace_id"], process, span["name"]))
    return found


async def test_a_launch_is_one_trace_through_every_boundary(system: System, tmp_path: Path) -> None:
    file = tmp_path / "cohort.yaml"
    roles = ("secretary", "head", "operator", "regent")
    file.write_text(COHORT + "".join(PERSON.format(role=role) for role in roles))
    livinglab(system, "login", "--as", "manager")
    livinglab(system, "cohort", "launch", str(file), "--json")

    def passed() -> list[tuple[str, str]]:
        seen = spans(system.home.traces)
        launch = next((trace for trace, *where in seen if tuple(where) == STATIONS[0]), None)
        mine = [(process, name) for trace, process, name in seen if trace == launch]
        return [station for station in STATIONS if any(p == station[0] and n.startswith(station[1]) for p, n in mine)]

    def all_passed() -> bool:
        assert passed() == STATIONS
        return True

    await eventually(all_passed, timeout=30)
    livinglab(system, "cohort", "cancel", "traced", "--reason", "seen enough")


async def test_rules_and_dashboards_ask_for_what_the_processes_tell(system: System) -> None:
    metrics = [address for name, address in system.addresses().items() if name.endswith("_metrics")]
    recorded = {rule["record"] for rule in figures.rules() if "record" in rule}

    def unknown() -> list[str]:
        told, missing = figures.told(metrics), []
        for query in figures.queries():
            names, labels = figures.asked(query)
            missing += [f"{name}, for {query}" for name in names - recorded - told.keys() - {"up"}]
            carried = set().union(*(told.get(name, set()) for name in names), figures.OF_THE_TARGET)
            # One that has not moved yet carries no label: the contract tests know those of ours.
            if all(told.get(name) for name in names):
                missing += [f"label {label}, for {query}" for label in labels - carried]
        return missing

    # Figures of the domain are read every half a minute, those of a workflow come with it.
    await eventually(lambda: not unknown(), timeout=90, ignoring=(OSError,))
