"""Templates as managers have changed them: every version is kept."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from livinglab.notify.v1 import template_service_pb2 as pb
from pymongo import IndexModel

from chassis import auth, mongo
from chassis.errors import Kind, Refused

INDEXES = {"templates": [IndexModel([("name", 1), ("language", 1), ("version", -1)], unique=True)]}


class TemplateStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._templates = db["templates"]
        self._messages = db["messages"]

    async def current(self) -> list[pb.Template]:
        """The newest version of each that was ever changed."""
        stages: Sequence[dict[str, Any]] = [
            {"$sort": {"name": 1, "language": 1, "version": -1}},
            {"$group": {"_id": {"name": "$name", "language": "$language"}, "newest": {"$first": "$$ROOT"}}},
        ]
        return [_template(row["newest"]) for row in await self._templates.aggregate(stages).to_list(None)]

    async def versions(self) -> dict[tuple[str, str], int]:
        """The newest version of each by name and language, without its text."""
        stages: Sequence[dict[str, Any]] = [
            {"$sort": {"name": 1, "language": 1, "version": -1}},
            {"$group": {"_id": {"name": "$name", "language": "$language"}, "version": {"$first": "$version"}}},
        ]
        rows = await self._templates.aggregate(stages).to_list(None)
        return {(row["_id"]["name"], row["_id"]["language"]): row["version"] for row in rows}

    async def get(self, name: str, language: str, version: int) -> pb.Template | None:
        """One version; None where there is none."""
        row = await self._templates.find_one({"name": name, "language": language, "version": version})
        return _template(row) if row else None

    async def save(self, tx: mongo.Tx, name: str, language: str, source: str, version: int) -> pb.Template:
        """The next version. ABORTED where `version` is not the newest."""
        query = {"name": name, "language": language}
        newest = await self._templates.find_one(query, sort=[("version", -1)], session=tx.session)
        stands = newest["version"] if newest else 0
        if stands != version:
            raise Refused(Kind.ABORTED, "ETAG", f"{name} is at version {stands} now, not {version}")
        row = {
            **query,
            "_id": f"{name}.{language}.{stands + 1}",
            "version": stands + 1,
            "source": source,
            "changed_by": auth.actor("notify"),
            "change_time": datetime.now(UTC),
        }
        await self._templates.insert_one(row, session=tx.session)
        return _template(row)

    async def written(self, name: str, message_id: str) -> tuple[str, dict[str, str]] | None:
        """A message that was written by the template, the newest or the named one, and its values."""
        query = {"template": name, **({"_id": message_id} if message_id else {})}
        row = await self._messages.find_one(query, {"values": 1}, sort=[("_id", -1)])
        return (row["_id"], row["values"]) if row else None


def _template(row: dict[str, Any]) -> pb.Template:
    return pb.Template(
        name=row["name"],
        language=row["language"],
        version=row["version"],
        source=row["source"],
        changed_by=row["changed_by"],
        change_time=mongo.timestamp(row["change_time"]),
    )
