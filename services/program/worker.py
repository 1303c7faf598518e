"""Wiring of the worker process: it runs the workflows and their activities, and answers health checks."""

import asyncio
import gc
from datetime import timedelta

from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from chassis import runtime
from chassis.temporal import sdk_figures
from chassis.temporal.client import connect, tls
from directory.projection import Institutions
from instruments import instrument_files
from programs import names
from services.program.activities.all import Activities
from services.program.activities.recurring import RecurringActivities
from services.program.activities.refusals import Refusals
from services.program.engine import versions
from services.program.engine.client import Engine
from services.program.engine.launch import Launches
from services.program.engine.visibility import NotRegistered, register_search_attributes
from services.program.store.cohorts import Store
from services.program.store.schedules import ScheduleStore
from services.program.workflows import registered

# More than may hang at once, see neighbours.
_ACTIVITIES = 200
_WORKFLOW_TASKS = 50
_CACHED_WORKFLOWS = 2_000
_COLLECTED_AFTER = 20_000


async def main(process: runtime.Process) -> None:
    """Works once MongoDB and Temporal are there; the services that activities call may come and go."""
    store = Store(await process.database("program"))
    await store.prepare()
    settings = process.settings
    client = await process.wait_for(
        "Temporal",
        lambda: connect(
            settings.temporal_address, settings.temporal_namespace, tls(settings), runtime=sdk_figures.runtime()
        ),
        RuntimeError,
    )
    await process.wait_for("search attributes", lambda: register_search_attributes(client), NotRegistered)
    engine = Engine(client, build_id=settings.build_id)
    institutions = Institutions(store.db)
    await institutions.prepare()
    process.background("institutions", institutions.follow())
    launches = Launches(store, engine, institutions.known, instrument_files())
    activities = Activities(
        store,
        engine,
        AssessmentServiceStub(process.channel("assessment")),
        CoachingServiceStub(process.channel("coaching")),
        NotifyServiceStub(process.channel("notify")),
        institutions.known,
    )
    recurring = RecurringActivities(ScheduleStore(store.db), launches)
    worker = Worker(
        client,
        task_queue=names.TASK_QUEUE,
        workflows=registered.of_build(settings.build_id),
        activities=[
            *registered.bound(registered.OF_COHORTS, activities),
            *registered.bound(registered.OF_SCHEDULES, recurring),
        ],
        interceptors=[Refusals(store)],
        max_concurrent_activities=_ACTIVITIES,
        max_concurrent_workflow_tasks=_WORKFLOW_TASKS,
        max_cached_workflows=_CACHED_WORKFLOWS,
        deployment_config=versions.deployment(settings.build_id),
        graceful_shutdown_timeout=timedelta(seconds=settings.grace_seconds),
        # Tests run the workflows in the sandbox; here it would cost a third more CPU and protect from nothing new.
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    # Each look of the collector costs more the more workflows are kept: with a thousand, a fifth of the worker's CPU.
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)
    process.background("worker", _work(worker))
    await process.serve()


async def _work(worker: Worker) -> None:
    """Until the process stops; then activities under way get their time, however often it is asked to stop."""
    working = asyncio.create_task(worker.run())
    stopping: asyncio.Task[None] | None = None
    while not working.done():
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            stopping = stopping or asyncio.create_task(worker.shutdown())
    working.result()


if __name__ == "__main__":
    runtime.run("program-worker", main)
