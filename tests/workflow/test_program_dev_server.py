"""The same course on the server that production speaks to: what the time-skipping one does differently shows here."""

from datetime import UTC, datetime

from livinglab.program.v1 import cohort_pb2
from temporalio.client import Client

from chassis.temporal.client import connect
from tests.harness.cohorts.cohort import ALL_DUTIES, codes, everything, running_cohort
from tests.harness.servers import Servers
from tests.harness.waiting import eventually


async def client_of(servers: Servers) -> Client:
    """As our processes connect."""
    return await connect(servers.temporal_address, "default")


async def test_a_cohort_passes_through_its_phases_on_a_compressed_clock(servers: Servers) -> None:
    one, *others = codes(4)

    def does(institution: str, phase: str) -> list[str]:
        return [] if (institution, phase) == (one, "summit") else list(everything(institution, phase))

    client = await client_of(servers)
    async with running_cohort(
        client, datetime.now(UTC), [one, *others], does=does, seconds_per_day="0.05", cohort_id="dev-course"
    ) as cohort:
        result = await cohort.result()
    assert (result.graduated, result.failed) == (3, 1)
    assert cohort.played.outcomes[one].reason == "summit closed without commitment-signed"
    assert [p for p, s, _ in cohort.played.phases if s == cohort_pb2.PHASE_STATE_CLOSED] == list(ALL_DUTIES)


async def test_cancelling_and_withdrawing_on_the_real_server(servers: Servers) -> None:
    one, *_ = institutions = codes(3)
    client = await client_of(servers)
    async with running_cohort(
        client, datetime.now(UTC), institutions, seconds_per_day="60", cohort_id="dev-cancel"
    ) as cohort:
        await eventually(lambda: len(cohort.played.letters) == 3)
        await cohort.withdraw(one)
        await eventually(lambda: one in cohort.played.outcomes)
        await cohort.cancel()
        result = await cohort.result()
        # A cohort that has run is not run again.
        await cohort.played.engine.start_program(cohort.played.course)
        assert (await cohort.handle.describe()).run_id == cohort.handle.first_execution_run_id
    assert (result.outcome, result.withdrawn) == (cohort_pb2.COHORT_STATE_CANCELLED, 3)
    assert {x.reason for x in cohort.played.outcomes.values()} == {"no budget", "an election"}
