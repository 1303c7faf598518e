"""The collection `audit`: who ordered what in a cohort."""

from datetime import datetime

from livinglab.program.v1 import audit_service_pb2
from pymongo import IndexModel

from chassis import mongo, pages
from services.program.store.documents import Row, in_milliseconds, stamp

INDEXES = {"audit": [IndexModel([("cohort", 1), ("time", 1), ("_id", 1)])]}


def entry(
    cohort_id: str,
    command: str,
    request_id: str,
    actor: str,
    time: datetime,
    *,
    reason: str = "",
    outcome: str = "",
    phase: str = "",
    institution: str = "",
) -> Row:
    """An order as it is kept, under its kind, who gave it and its request_id."""
    return {
        "_id": f"{cohort_id}:{command}:{actor}:{request_id}",
        "cohort": cohort_id,
        "time": in_milliseconds(time),
        "actor": actor,
        "command": command,
        "phase": phase,
        "institution": institution,
        "reason": reason,
        "outcome": outcome,
        "request_id": request_id,
    }


class AuditStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self._audit = db["audit"]

    async def add(self, tx: mongo.Tx, kept: Row) -> None:
        """Keeps an order together with what it did."""
        await self._audit.insert_one(kept, session=tx.session)

    async def forget(self, tx: mongo.Tx, cohort_id: str) -> None:
        """Of a cohort that never was."""
        await self._audit.delete_many({"cohort": cohort_id}, session=tx.session)

    async def find(self, key: str, tx: mongo.Tx | None = None) -> Row | None:
        """The entry of that key; None where there is none."""
        row: Row | None = await self._audit.find_one({"_id": key}, session=tx.session if tx else None)
        return row

    async def page(self, request: audit_service_pb2.ListAuditRequest) -> tuple[list[audit_service_pb2.AuditEntry], str]:
        """Orders to a cohort, oldest first, and the token of the next page."""
        return await pages.page(self._audit, {"cohort": request.cohort_id}, request, _message, by=("time", 1))


def _message(row: Row) -> audit_service_pb2.AuditEntry:
    texts = ("actor", "command", "phase", "institution", "reason", "outcome", "request_id")
    return audit_service_pb2.AuditEntry(time=stamp(row["time"]), **{name: row[name] for name in texts})
