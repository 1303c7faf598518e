"""Builds of the worker as Temporal knows them: which one takes new cohorts, which still have some."""

from dataclasses import dataclass

from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentResponse,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from chassis.errors import Refused, not_found, precondition
from chassis.temporal import builds as temporal
from programs.names import DEPLOYMENT


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
    found = await temporal.builds(client, DEPLOYMENT, "ProgramWorkflow")
    return [Build(one.id, one.state, one.percent, one.leading, one.workflows) for one in found]


async def make_current(client: Client, build_id: str) -> None:
    """New cohorts go to that build from now on, and an open ramp to it ends. NOT_FOUND, FAILED_PRECONDITION while no
    worker of it is there."""
    described = await temporal.describe(client, DEPLOYMENT)
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
    described = await temporal.describe(client, DEPLOYMENT)
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


def _require_known(described: DescribeWorkerDeploymentResponse, build_id: str) -> None:
    known = {s.deployment_version.build_id for s in described.worker_deployment_info.version_summaries}
    if build_id not in known:
        raise not_found("build", build_id)


def _refused(error: RPCError) -> Refused:
    if error.status is RPCStatusCode.FAILED_PRECONDITION:
        return precondition("RELEASE_REFUSED", error.message)
    raise error
