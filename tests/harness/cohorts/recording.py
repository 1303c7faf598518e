"""Holds up the recording of managers' orders: accepted by the cohort's workflow, not yet in the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client

from chassis import mongo
from programs import names

# No error of a connection: the driver does not try it again by itself.
_OPERATION_FAILED = 96


@asynccontextmanager
async def held(mongo_uri: str, database: str) -> AsyncIterator[Any]:
    """A client of mongod while nothing can be added to the audit; a mongod that is killed has forgotten it."""
    client = mongo.connect(mongo_uri)
    data = {"failCommands": ["insert"], "namespace": f"{database}.audit", "errorCode": _OPERATION_FAILED}
    await client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
    try:
        yield client
    finally:
        client.close()


async def release(mongo_uri: str) -> None:
    """Orders can be recorded again."""
    client = mongo.connect(mongo_uri)
    await client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    client.close()


async def waiting_activity(temporal: Client, cohort_id: str, name: str) -> Any:
    """An activity of the cohort's workflow that has begun and not ended; None where there is none."""
    described = await temporal.get_workflow_handle(names.workflow_id(cohort_id)).describe()
    pending = described.raw_description.pending_activities
    return next((p for p in pending if p.activity_type.name == name and p.attempt), None)
