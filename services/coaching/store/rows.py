"""Stores a message as a document with a version. What a newer release keeps beside what is known here stays."""

from typing import Any

from google.protobuf.descriptor import Descriptor

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
    stored = await db[collection].find_one(previous, session=tx.session)
    if stored is None:
        raise conflict(message.DESCRIPTOR.name.lower(), message.id)
    gone = {name: "" for name in message.DESCRIPTOR.fields_by_name if name not in {*row, "id", "etag"}}
    whole = with_unknown(row, stored, message.DESCRIPTOR)
    # Not as a whole: a field that this release does not know is left alone.
    change = {"$set": {name: whole[name] for name in row}, **({"$unset": gone} if gone else {})}
    await db[collection].update_one(previous, change, session=tx.session)


def with_unknown(new: Any, stored: Any, kind: Descriptor | None) -> Any:
    """What is to be stored of a message of that kind, with what the stored one has beside the fields that are known, in
    it and in all that is in it. In lists those with the same id belong together, or what is the same in all fields."""
    if kind is None or type(new) is not type(stored) or not isinstance(new, dict | list):
        return new
    if isinstance(new, list):
        return [with_unknown(one, _of_before(one, stored, kind), kind) for one in new]
    if kind.GetOptions().map_entry:
        held = kind.fields_by_name["value"].message_type
        return {key: with_unknown(value, stored.get(key), held) for key, value in new.items()}
    known = kind.fields_by_name
    more = {name: value for name, value in stored.items() if name not in known and name not in new}
    inner = {name: known[name].message_type if name in known else None for name in new}
    return {name: with_unknown(value, stored.get(name), inner[name]) for name, value in new.items()} | more


def _of_before(one: Any, stored: list[Any], kind: Descriptor) -> Any:
    known = kind.fields_by_name

    def shown(other: Any) -> Any:
        if not isinstance(other, dict):
            return other
        return other.get("id") if "id" in known else {name: value for name, value in other.items() if name in known}

    return next((other for other in stored if shown(other) == shown(one)), None)
