"""Builds of a worker as Temporal knows them, and the workers that ask it for work."""

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentResponse,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from chassis.errors import Refused, not_found

_RUNNING = "ExecutionStatus = 'Running' AND TemporalWorkerDeploymentVersion = '{deployment}:{build_id}'"


@dataclass(frozen=True)
class Build:
    """A build whose workers were seen. `state` is inactive, current, ramping, draining or drained; `percent` is its
    share of what starts; `leading` counts the workflows of the leading kind that run on it, `workflows` all of them."""

    id: str
    state: str
    percent: float
    leading: int
    workflows: int


@dataclass(frozen=True)
class Worker:
    """A process that asks for work; `build_id` is empty where it names none."""

    identity: str
    build_id: str
    seen: datetime


async def builds(client: Client, deployment: str, leading: str) -> list[Build]:
    """Every build, newest first; none where no worker names its build. `leading` is a workflow type. RPCError."""
    try:
        described = await describe(client, deployment)
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
        running = _RUNNING.format(deployment=deployment, build_id=build_id)
        found.append(
            Build(
                id=build_id,
                state=name.removeprefix("WORKER_DEPLOYMENT_VERSION_STATUS_").lower(),
                percent=share if build_id == ramping else 100 - share if build_id == current else 0,
                leading=(await client.count_workflows(f"WorkflowType = '{leading}' AND {running}")).count,
                workflows=(await client.count_workflows(running)).count,
            )
        )
    return found


async def workers(client: Client, task_queue: str) -> list[Worker]:
    """Who asked for workflow tasks of that queue in the last minutes, by identity. RPCError."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    answer = await client.workflow_service.describe_task_queue(request)
    found = [
        Worker(one.identity, one.deployment_options.build_id, one.last_access_time.ToDatetime(UTC))
        for one in answer.pollers
    ]
    return sorted(found, key=lambda one: one.identity)


async def describe(client: Client, deployment: str) -> DescribeWorkerDeploymentResponse:
    """The deployment; NOT_FOUND where no worker named itself as of it. RPCError."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    try:
        return await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise not_found("deployment", deployment) from error
        raise
