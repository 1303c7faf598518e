"""How rows are kept: the next version of a message, what is noted once, pages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chassis import mongo
from chassis.errors import conflict


async def save(db: mongo.Database, tx: mongo.Tx, collection: str, message: Any, row: dict[str, Any]) -> None:
    """Stores the next version of a message; ABORTED where somebody else did so first."""
    version = int(message.etag)
    row["version"] = version
    if version == 1:
        await db[collection].insert_one({"_id": message.id, **row}, session=tx.session)
        return
    previous = {"_id": message.id, "version": version - 1}
    # Not as a whole: what a newer release keeps beside it stays.
    gone = {name: "" for name in message.DESCRIPTOR.fields_by_name if name not in {*row, "id", "etag"}}
    change = {"$set": row, **({"$unset": gone} if gone else {})}
    result = await db[collection].update_one(previous, change, session=tx.session)
    if result.matched_count == 0:
        raise conflict(message.DESCRIPTOR.name.lower(), message.id)


async def add_once(db: mongo.Database, tx: mongo.Tx, collection: str, key: str, row: Mapping[str, Any]) -> bool:
    """Notes something under a key of its own; False where it was noted before."""
    change = {"$setOnInsert": {**row, "time": datetime.now(UTC)}}
    result = await db[collection].update_one({"_id": key}, change, upsert=True, session=tx.session)
    return result.upserted_id is not None


async def page(
    db: mongo.Database, collection: str, keys: Mapping[str, Any], size: int, token: str
) -> tuple[list[dict[str, Any]], str]:
    """Rows ordered by id, and the token of the next page."""
    query = {**keys, **mongo.after(token)}
    found = await db[collection].find(query).sort("_id").limit(size + 1).to_list(None)
    rows = found[:size]
    return rows, mongo.page_token(rows[-1]["_id"]) if len(found) > size else ""
