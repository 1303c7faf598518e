"""A backup that is taken while a cohort runs, brought back elsewhere: nothing disagrees, and the cohort goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as program
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

from chassis import naming, rpc
from stack.backup import databases, whole
from stack.doctor.examination import settled
from stack.home import Home
from stack.rehearsal.stage import Stage
from stack.system import System, running_system, start_system
from tests.harness.system import carried_through
from tests.harness.waiting import eventually

COHORT = "backed-up"
# Evaluations under way and plans being made; and much more has been done before the databases are read.
MIDDLE, LATER = 25, 40


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "backup"
    asyncio.run(_in_the_middle_of_a_cohort(Home(tmp_path_factory.mktemp("system")), folder))
    return folder


async def _in_the_middle_of_a_cohort(home: Home, folder: Path) -> None:
    system = await start_system(home)
    saving: list[asyncio.Task[None]] = []
    try:
        ended = await carried_through(
            system, COHORT, lambda stage: saving.append(asyncio.create_task(_save(system, stage, folder)))
        )
        await saving[0]
        assert not ended.broken
    finally:
        await system.stop()


async def _save_databases(system: System, stage: Stage, folder: Path) -> None:
    """In the middle, and nothing else."""
    await eventually(lambda: stage.writes.acknowledged.total() >= LATER, timeout=60)
    await databases.save(system.servers().mongodb, "", folder)


async def _save(system: System, stage: Stage, folder: Path) -> None:
    """The databases are read a while after the streams and Temporal were."""

    async def more_is_done() -> None:
        await eventually(lambda: stage.writes.acknowledged.total() >= LATER, timeout=60)

    await eventually(lambda: stage.writes.acknowledged.total() >= MIDDLE, timeout=60)
    await whole.save(system.servers(), whole.temporal_file(system.home), folder, lambda _: None, more_is_done)


@pytest.mark.timeout(400)
async def test_what_is_restored_agrees_and_goes_on(backup: Path, tmp_path: Path) -> None:
    home, told = Home(tmp_path / "elsewhere"), list[str]()
    findings = await whole.load(home, backup, told.append)
    assert findings is not None
    assert [f"{finding.what}: {finding.found}" for finding in findings if not finding.holds] == []
    # What was done between the streams' moment and the databases' was in no stream.
    [again] = [line for line in told if line.startswith("published again")]
    assert int(again.split()[-2]) > 0
    async with running_system(home) as system:
        cohort = await _cancelled(system)
        assert cohort.participants == cohort.graduated + cohort.withdrawn + cohort.failed == 4
        broken = [finding for finding in await settled(system.servers(), 60) if not finding.holds]
        assert broken == []


@pytest.mark.timeout(400)
async def test_an_older_database_under_newer_streams_is_named_with_what_mends_it(tmp_path: Path) -> None:
    system, older = await start_system(Home(tmp_path / "system")), tmp_path / "older"
    saving: list[asyncio.Task[None]] = []
    try:
        await carried_through(
            system, COHORT, lambda stage: saving.append(asyncio.create_task(_save_databases(system, stage, older)))
        )
        await saving[0]
        await system.fleet.stop_all()
        await databases.load(system.servers().mongodb, "", older)
        await system.fleet.start_all()
        broken = {f.what: f for f in await settled(system.servers(), 5) if not f.holds}
    finally:
        await system.stop()
    # The database has lost what its streams, its readers' places and Temporal know.
    assert broken.keys() >= {
        "what the facts tell is in their owners' databases",
        "every fact that was settled had its effect",
        "what runs in the database runs in Temporal",
    }
    assert all(finding.mend for finding in broken.values())
    assert COHORT in broken["what runs in the database runs in Temporal"].found


async def test_nothing_is_put_over_a_platform_unasked(backup: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "taken")
    (home.data / "temporal").mkdir(parents=True)
    (home.data / "temporal" / "temporal.sqlite").write_bytes(b"")
    with pytest.raises(whole.BackupRefused, match="there is a platform already"):
        await whole.load(home, backup, lambda _: None)


async def test_a_folder_that_is_no_whole_backup_is_refused(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    with pytest.raises(whole.BackupRefused, match="no whole backup"):
        await whole.load(Home(tmp_path / "home"), tmp_path / "half", lambda _: None)
    assert backup.stat().st_mode & 0o077 == 0


async def _cancelled(system: System) -> cohort_pb2.Cohort:
    """The restored cohort still takes orders and comes to its end."""
    channel = rpc.channel(system.addresses()["program"], lambda: "")
    stub: Any = ProgramServiceStub(channel)
    manager = {"metadata": (("authorization", f"Bearer {system.fleet.issuer.token('manager')}"),)}
    order = program.CancelCohortRequest(request_id=naming.new_id(), cohort_id=COHORT, reason="measured")
    await stub.CancelCohort(order, **manager)

    async def ended() -> cohort_pb2.Cohort | None:
        cohort: cohort_pb2.Cohort = (await stub.GetCohort(program.GetCohortRequest(cohort_id=COHORT), **manager)).cohort
        return cohort if cohort.HasField("end_time") else None

    found = await eventually(ended, timeout=60)
    await channel.close()
    assert found is not None
    return found
