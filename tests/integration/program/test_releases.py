"""Two releases of the worker side by side on a real Temporal: who runs which cohort, and when one is done with."""

import asyncio
import json
import os
import sys
import uuid
from functools import partial

from livinglab.program.v1 import release_service_pb2 as release_pb
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import workflow_pb2
from livinglab.program.v1.release_service_pb2_grpc import ReleaseServiceStub
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from temporalio.client import Client, WorkflowHandle

from cli.release import builds
from programs import names
from tests.harness.cohorts.program import launching, working
from tests.harness.servers import Servers
from tests.harness.service import Running
from tests.harness.waiting import eventually

SUMEDANG, BANDUNG = "32.11", "32.04"
A, B = "release-a", "release-b"


async def launched(program: Running) -> str:
    request = launching(SUMEDANG, BANDUNG)
    await program.as_role(ProgramServiceStub, "manager").LaunchCohort(request)
    return request.cohort.id


async def cancelled(program: Running, cohort_id: str) -> None:
    request = pb.CancelCohortRequest(request_id=uuid.uuid4().hex, cohort_id=cohort_id, reason="the test is over")
    await program.as_role(ProgramServiceStub, "manager").CancelCohort(request)


async def build_of(temporal: Client, cohort_id: str, institution: str = "") -> str:
    """Waits until a build has taken it up."""
    handle = temporal.get_workflow_handle(names.workflow_id(cohort_id, institution))

    async def taken_up() -> str:
        return (await handle.describe()).raw_info.versioning_info.deployment_version.build_id

    return await eventually(taken_up, ignoring=(Exception,), timeout=30)


async def builds_of(temporal: Client, cohort_id: str) -> set[str]:
    """The builds that run a cohort and its participants."""
    return {await build_of(temporal, cohort_id, institution) for institution in ("", SUMEDANG, BANDUNG)}


async def current(temporal: Client, build_id: str) -> None:
    """Waits until its workers are there."""

    async def done() -> bool:
        await builds.make_current(temporal, build_id)
        return True

    await eventually(done, ignoring=(Exception,), timeout=30)


async def known(temporal: Client, build_id: str) -> bool:
    return build_id in {build.id for build in await builds.builds(temporal)}


async def standing(temporal: Client) -> dict[str, tuple[str, float, int]]:
    return {build.id: (build.state, build.percent, build.cohorts) for build in await builds.builds(temporal)}


async def continued(handle: WorkflowHandle[object, object]) -> None:
    """Has a cohort go on in a new run, as long histories do."""
    first = (await handle.describe()).run_id
    noise = workflow_pb2.Reports(done=[workflow_pb2.PhaseDone(institution=SUMEDANG, phase="elsewhere")])

    async def goes_on() -> bool:
        await asyncio.gather(*(handle.signal("reported", noise) for _ in range(100)))
        return (await handle.describe()).run_id != first

    await eventually(goes_on, timeout=60)


async def test_a_cohort_stays_with_its_release_to_the_end_and_then_the_release_is_drained(
    program: Running, temporal: Client
) -> None:
    async with working(program, A), working(program, B):
        await current(temporal, A)
        old = await launched(program)
        assert await builds_of(temporal, old) == {A}
        platform = program.as_role(ReleaseServiceStub, "platform")

        async def told() -> bool:
            answer = await platform.GetReleases(release_pb.GetReleasesRequest())
            current = [build.id for build in answer.builds if build.state == "current" and build.cohorts]
            return current == [A] and {A, B} <= {worker.build_id for worker in answer.workers}

        await eventually(told, timeout=30)
        await current(temporal, B)
        new = await launched(program)
        assert await builds_of(temporal, new) == {B}
        handle = temporal.get_workflow_handle(names.workflow_id(old))
        await continued(handle)
        assert await build_of(temporal, old) == A

        async def counted() -> bool:
            return await standing(temporal) == {A: ("draining", 0, 1), B: ("current", 100, 1)}

        await eventually(counted, timeout=30)
        await cancelled(program, old)
        await handle.result()

        async def drained() -> bool:
            return await standing(temporal) == {A: ("drained", 0, 0), B: ("current", 100, 1)}

        await eventually(drained, timeout=30)
        await cancelled(program, new)
        await temporal.get_workflow_handle(names.workflow_id(new)).result()


async def test_a_ramp_sends_cohorts_to_both_and_splits_none(program: Running, temporal: Client) -> None:
    async with working(program, A), working(program, B):
        await current(temporal, A)
        await eventually(lambda: known(temporal, B), timeout=30)
        await builds.ramp(temporal, B, 50)
        assert {build.id: build.percent for build in await builds.builds(temporal)} == {A: 50, B: 50}
        taken: list[str] = []
        # One in a million runs would see the same build twenty times.
        while len(set(taken)) < 2 and len(taken) < 20:
            [build] = await builds_of(temporal, await launched(program))
            taken.append(build)
        assert set(taken) == {A, B}
        await builds.ramp(temporal, B, 0)
        assert {build.id: build.percent for build in await builds.builds(temporal)} == {A: 100, B: 0}


async def test_who_leaves_while_another_release_is_current_leaves_on_the_cohorts_release(
    program: Running, temporal: Client
) -> None:
    async with working(program, A), working(program, B):
        await current(temporal, A)
        cohort_id = await launched(program)
        assert await builds_of(temporal, cohort_id) == {A}
        await current(temporal, B)
        request = pb.WithdrawParticipantRequest(
            request_id=uuid.uuid4().hex, cohort_id=cohort_id, institution=BANDUNG, reason="no budget"
        )
        await program.as_role(ProgramServiceStub, "manager").WithdrawParticipant(request)
        await temporal.get_workflow_handle(names.workflow_id(cohort_id, BANDUNG)).result()
        assert await builds_of(temporal, cohort_id) == {A}
        await cancelled(program, cohort_id)


async def livinglab(temporal: Client, servers: Servers, *arguments: str) -> tuple[int, str, str]:
    options = ["--temporal", servers.temporal_address, "--namespace", temporal.namespace]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        "release",
        *arguments[:1],
        *options,
        *arguments[1:],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_releases_are_steered_from_the_command_line(program: Running, temporal: Client, servers: Servers) -> None:
    assert await livinglab(temporal, servers, "list", "--json") == (0, "[]\n", "")
    async with working(program, A), working(program, B):
        for build in (A, B):
            await eventually(partial(known, temporal, build), timeout=30)
        code, out, _ = await livinglab(temporal, servers, "list")
        assert code == 0
        assert "no build is current" in out
        assert (await livinglab(temporal, servers, "current", A))[0] == 0
        assert (await livinglab(temporal, servers, "ramp", B, "--percent", "25"))[0] == 0
        _, out, _ = await livinglab(temporal, servers, "list", "--json")
        shares = {build["id"]: (build["state"], build["percent"]) for build in json.loads(out)}
        assert shares == {A: ("current", 75), B: ("ramping", 25)}
        code, _, err = await livinglab(temporal, servers, "current", "release-c")
        assert (code, err) == (1, "refused: build release-c does not exist\n")
        code, _, err = await livinglab(temporal, servers, "ramp", A, "--percent", "10")
        assert code == 1
        assert err.startswith("refused: ")
    code, _, err = await livinglab(temporal, servers, "list", "--temporal", "127.0.0.1:1")
    assert code == 1
    assert err.startswith("refused: Temporal at 127.0.0.1:1 answers with")
