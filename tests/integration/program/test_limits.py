"""What a launch may hold at most, tried at its value and one beyond; and a launch that Temporal refuses."""

from collections.abc import Iterator
from typing import Any

import grpc
from livinglab.program.v1 import directory_service_pb2 as pb
from livinglab.program.v1.directory_service_pb2_grpc import DirectoryServiceStub
from temporalio.client import Client

from chassis.errors import Kind
from chassis.status import from_rpc_error
from programs import names
from programs.rules import counts
from services.program.engine.visibility import NAMES, register_search_attributes
from services.program.model.institution import MOST_ROWS
from tests.harness.cohorts.program import SUMEDANG, launching, manager, request_id
from tests.harness.service import Running, refusal
from tests.harness.waiting import eventually

OF_A_LAUNCH = ("cohorts", "participants", "names", "audit", "requests")


async def test_a_definition_that_is_too_large_stores_nothing(program: Running) -> None:
    request = launching(SUMEDANG)
    request.definition.source = "x" * counts.MOST_BYTES
    refused = await refusal(manager(program).LaunchCohort(request))
    assert refused.kind == Kind.INVALID_ARGUMENT
    [fault] = refused.violations
    assert fault.field == "definition"
    assert fault.description.endswith(f"at most {counts.MOST_BYTES} are taken")
    assert [await program.db[name].count_documents({}) for name in OF_A_LAUNCH] == [0] * len(OF_A_LAUNCH)


async def test_a_launch_that_temporal_refuses_leaves_no_cohort_and_may_be_asked_for_again(
    program: Running, temporal: Client
) -> None:
    """Its search attributes are gone."""
    from temporalio.api.operatorservice.v1 import RemoveSearchAttributesRequest

    removal = RemoveSearchAttributesRequest(namespace=temporal.namespace, search_attributes=list(NAMES))
    await temporal.operator_service.remove_search_attributes(removal)
    request = launching(SUMEDANG)
    last: list[Any] = []

    async def refuses() -> bool:
        """The server remembers them for a moment."""
        request.request_id, request.cohort.id = request_id(), f"refused-{request_id()[:8]}"
        try:
            await manager(program).LaunchCohort(request)
        except grpc.aio.AioRpcError as error:
            last[:] = [from_rpc_error(error)]
        return bool(last)

    await eventually(refuses, ignoring=(Exception,), timeout=60)
    [refused] = last
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "NOT_STARTED")
    for name in OF_A_LAUNCH:
        assert not await program.db[name].find_one({"$or": [{"_id": {"$regex": request.cohort.id}}]}), name

    async def known() -> bool:
        await register_search_attributes(temporal)
        return bool((await manager(program).LaunchCohort(request)).cohort.id)

    await eventually(known, ignoring=(Exception,), timeout=60)
    assert await temporal.get_workflow_handle(names.workflow_id(request.cohort.id)).describe()


async def test_as_many_institutions_as_a_file_may_have_are_taken_in_one_call_and_one_more_stores_nothing(
    program: Running,
) -> None:
    directory = program.as_role(DirectoryServiceStub, "manager")
    # As long as a name may be.
    rows = [pb.InstitutionRow(line=n + 2, code=f"LIMIT-{n}", name="x" * 200, kind="city") for n in range(MOST_ROWS + 1)]

    def importing(count: int) -> Iterator[pb.ImportInstitutionsRequest]:
        id_ = request_id()
        for start in range(0, count, 2_000):
            yield pb.ImportInstitutionsRequest(request_id=id_, rows=rows[start : min(start + 2_000, count)])

    refused = await refusal(directory.ImportInstitutions(importing(MOST_ROWS + 1)))
    assert (refused.kind, refused.reason) == (Kind.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE")
    for name in ("institutions", "outbox", "requests", "large_write_parts"):
        assert await program.db[name].count_documents({}) == 0, name
    assert (await directory.ImportInstitutions(importing(MOST_ROWS))).imported == MOST_ROWS
    assert await program.db["institutions"].count_documents({}) == MOST_ROWS
    assert await program.db["outbox"].count_documents({}) == MOST_ROWS
    assert (await directory.ImportInstitutions(importing(MOST_ROWS))).unchanged == MOST_ROWS
