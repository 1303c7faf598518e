"""Builds of the worker as Temporal knows them: which one takes new cohorts, which still have some."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentResponse,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from chassis.errors import Refused, not_found, precondition
from programs.names import DEPLOYMENT

_RUNNING = "ExecutionStatus = 'Running' AND TemporalWorkerDeploymentVersion = '{deployment}:{build_id}'"


@dataclass(frozen=True)
class Build:
    """A build whose workers were seen. `state` is inactive, current, ramping, draining or drained; `percent` is its
    share of new cohorts; `cohorts` and `workflows` are those that run on it."""

    id: str
    state: str
    percent: float
    cohorts: int
    workflows: int


async def builds(client: Client) -> list[Build]:
    """Every build, newest first; none where no worker names its build."""
    try:
        described = await _describe(client)
    except Refused:
        return []
    info = described.worker_deployment_info
    routing = info.routing_config
    ramping, share = routing.ramping_deployment_version.build_id, routing.ramping_version_percentage
    current = routing.current_deployment_version.build_id
    found = []
    for summary in sorted(info.version_summaries, key=lambda s: s.create_time.ToNanoseconds(), reverse=True):
        build_id = summary.deployment_version.build_id
        name = WorkerDeploymentVersionStatus.Name(summary.status)
        running = _RUNNING.format(deployment=DEPLOYMENT, build_id=build_id)
        found.append(
            Build(
                id=build_id,
                state=name.removeprefix("WORKER_DEPLOYMENT_VERSION_STATUS_").lower(),
                percent=share if build_id == ramping else 100 - share if build_id == current else 0,
                cohorts=(await client.count_workflows(f"WorkflowType = 'ProgramWorkflow' AND {running}")).count,
                workflows=(await client.count_workflows(running)).count,
            )
        )
    return found


async def make_current(client: Client, build_id: str) -> None:
    """New cohorts go to that build from now on, and an open ramp to it ends. NOT_FOUND, FAILED_PRECONDITION while no
    worker of it is there."""
    described = await _describe(client)
    _require_known(described, build_id)
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build_id,
        conflict_token=described.conflict_token,
        identity=client.identity,
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(request)
    except RPCError as error:
        raise _refused(error) from error


async def ramp(client: Client, build_id: str, percent: float) -> None:
    """So many in a hundred new cohorts go to that build, the others to the current one; at 0 the ramp ends. NOT_FOUND,
    FAILED_PRECONDITION while no worker of it is there or it is current."""
    described = await _describe(client)
    _require_known(described, build_id)
    request = SetWorkerDeploymentRampingVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build_id if percent else "",
        percentage=percent,
        conflict_token=described.conflict_token,
        identity=client.identity,
    )
    try:
        await client.workflow_service.set_worker_deployment_ramping_version(request)
    except RPCError as error:
        raise _refused(error) from error


async def _describe(client: Client) -> DescribeWorkerDeploymentResponse:
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    try:
        return await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise not_found("deployment", DEPLOYMENT) from error
        raise


def _require_known(described: DescribeWorkerDeploymentResponse, build_id: str) -> None:
    known = {s.deployment_version.build_id for s in described.worker_deployment_info.version_summaries}
    if build_id not in known:
        raise not_found("build", build_id)


def _refused(error: RPCError) -> Refused:
    if error.status is RPCStatusCode.FAILED_PRECONDITION:
        return precondition("RELEASE_REFUSED", error.message)
    raise error
