"""What this service signs with: made once, the same on every replica and after every start."""

import secrets
from typing import Any

from chassis import mongo

INDEXES: dict[str, list[Any]] = {"keys": []}
_BYTES = 32


async def key(db: mongo.Database, name: str) -> bytes:
    """The key of that name; whoever asks first makes it."""
    rows = db["keys"]
    made = {"$setOnInsert": {"key": secrets.token_bytes(_BYTES)}}
    await rows.update_one({"_id": name}, made, upsert=True)
    row = await rows.find_one({"_id": name})
    assert row is not None
    return bytes(row["key"])
