"""Stores a message as a document with a version."""

from typing import Any

from chassis import mongo
from chassis.errors import conflict


async def save(db: mongo.Database, tx: mongo.Tx, collection: str, message: Any, row: dict[str, Any]) -> None:
    """Stores a message whose etag is the version that it has from now on; ABORTED where somebody else wrote first."""
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
