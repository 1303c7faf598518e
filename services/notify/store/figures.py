"""Figures for whoever operates the platform: letters that wait, and those that were given up."""

from datetime import UTC, datetime, timedelta

from livinglab.notify.v1 import service_pb2 as pb
from prometheus_client import Gauge

from chassis import mongo

WAITING = Gauge("livinglab_messages_waiting", "Letters that are not sent yet", ["state"])
OVERDUE = Gauge("livinglab_messages_overdue_seconds", "How long the oldest letter has been due")
FAILED = Gauge("livinglab_messages_failed_last_day", "Letters accepted within a day that were given up", ["rehearsal"])
_DAY = timedelta(days=1)


class Figures:
    """Of the letters of one database; only reads, each by an index."""

    def __init__(self, db: mongo.Database) -> None:
        self._messages = db["messages"]

    async def look(self) -> None:
        """Counts, and tells what was counted."""
        now = datetime.now(UTC)
        queued = {"state": pb.MESSAGE_STATE_QUEUED}
        oldest = await self._messages.find_one(queued, {"due_time": 1}, sort=[("due_time", 1)])
        WAITING.labels("queued").set(await self._messages.count_documents(queued))
        WAITING.labels("held").set(await self._messages.count_documents({"state": pb.MESSAGE_STATE_HELD}))
        # A letter that is being sent has a due time ahead, which is the end of its lease.
        OVERDUE.set(max(0.0, (now - oldest["due_time"]).total_seconds()) if oldest else 0.0)
        failed = {"state": pb.MESSAGE_STATE_FAILED, "accept_time": {"$gt": now - _DAY}}
        for rehearsal, wanted in (("false", {"rehearsal": ""}), ("true", {"rehearsal": {"$ne": ""}})):
            FAILED.labels(rehearsal).set(await self._messages.count_documents({**failed, **wanted}))
