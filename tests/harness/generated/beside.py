"""What a newer release may keep beside what this one knows, in every document of a service: a list and a map in each
part of it, and an unknown field in each message that is kept as bytes. Afterwards: where it was lost."""

from collections.abc import Iterator, Sequence
from typing import Any

from chassis import mongo

ADDED: dict[str, Any] = {"added_list": ["a", {"b": 1}], "added_map": {"k": {"v": "new"}}}
# Field 15000, of bytes: its tag, the length, what it says.
UNKNOWN = b"\xc2\xa9\x07\x05newer"


def marked(value: Any) -> Any:
    """The same with all of that."""
    if isinstance(value, dict):
        return {name: marked(inner) for name, inner in value.items()} | ADDED
    if isinstance(value, list):
        return [marked(one) for one in value]
    return value + UNKNOWN if isinstance(value, bytes) else value


async def mark(db: mongo.Database, collections: Sequence[str]) -> None:
    """Marks every document; fails where there is none, for then nothing is tried."""
    for name in collections:
        rows = await db[name].find({}).to_list(None)
        assert rows, f"there is nothing in {name}"
        for row in rows:
            await db[name].replace_one({"_id": row["_id"]}, marked(row))


async def lost(db: mongo.Database, collections: Sequence[str]) -> list[str]:
    """The places that lack it now."""
    found = []
    for name in collections:
        async for row in db[name].find({}):
            found += [f"{name} {row['_id']}{place}" for place in _lacking(row, "")]
    return found


def _lacking(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        if not ADDED.items() <= value.items():
            yield place
        for name in value.keys() - ADDED.keys():
            yield from _lacking(value[name], f"{place}.{name}")
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from _lacking(one, f"{place}[{n}]")
    elif isinstance(value, bytes) and UNKNOWN not in value:
        yield place
