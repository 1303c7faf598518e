"""What is told of cohorts to whoever operates the platform, read from what is stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.program.v1 import cohort_pb2
from prometheus_client import REGISTRY

from services.program.store.figures import Figures
from tests.harness.cohorts.program import launching, manager
from tests.harness.service import Running

LATE = datetime.now(UTC) - timedelta(hours=1)


def told(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"livinglab_{name}", labels)
    assert value is not None, name
    return value


async def test_late_phases_are_told_by_what_keeps_them_and_rehearsals_apart(program: Running) -> None:
    await manager(program).LaunchCohort(launching())
    real = await manager(program).LaunchCohort(launching())
    cohorts, figures = program.db["cohorts"], Figures(program.db)
    # The calendar of the file is long past, so a real launch of it would be refused.
    await cohorts.update_one({"_id": real.cohort.id}, {"$set": {"rehearsal": False}})
    await figures.look()
    assert (
        told("cohorts", state="running", rehearsal="true") == told("cohorts", state="running", rehearsal="false") == 1
    )
    assert told("participants", state="active", rehearsal="false") == 2
    for name in ("gates_blocked", "phases_overdue", "participants_behind"):
        assert told(name, rehearsal="true") == told(name, rehearsal="false") == 0
    # The first phase that requires something; no worker runs here that would move it.
    required = next(p.id for p in launching().definition.phases if any(duty.required for duty in p.duties))

    async def stands(**changed: Any) -> None:
        await cohorts.update_one(
            {"_id": real.cohort.id}, {"$set": {f"phases.{required}.{name}": value for name, value in changed.items()}}
        )
        await figures.look()

    await stands(state=cohort_pb2.PHASE_STATE_OPEN, deadline_time=LATE)
    assert (told("phases_overdue", rehearsal="false"), told("gates_blocked", rehearsal="false")) == (1, 0)
    assert told("participants_behind", rehearsal="false") == 2
    await stands(held_time=LATE)
    assert (told("phases_overdue", rehearsal="false"), told("gates_blocked", rehearsal="false")) == (0, 1)
    assert told("phases_overdue", rehearsal="true") == told("participants_behind", rehearsal="true") == 0
    # A pause stops the clock: what is late then is nobody's fault.
    await cohorts.update_one({"_id": real.cohort.id}, {"$set": {"state": cohort_pb2.COHORT_STATE_PAUSED}})
    await stands(held_time=None)
    assert told("phases_overdue", rehearsal="false") == 0
    await cohorts.update_one({"_id": real.cohort.id}, {"$set": {"state": cohort_pb2.COHORT_STATE_CANCELLED}})
    await figures.look()
    assert told("cohorts", state="cancelled", rehearsal="false") == 1
    assert REGISTRY.get_sample_value("livinglab_cohorts", {"state": "paused", "rehearsal": "false"}) is None
    assert REGISTRY.get_sample_value("livinglab_participants", {"state": "active", "rehearsal": "false"}) is None
