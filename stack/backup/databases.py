"""The databases of all services, as they were at one instant, as files of BSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from chassis.events import facts

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_BATCH_BYTES = 8 * 2**20
# Who is doing what just now: nobody is, after a restore.
_OF_THE_MOMENT = "leases"


async def save(mongo_uri: str, prefix: str, folder: Path) -> dict[str, int]:
    """Service to how many documents it has, a file for each collection. OperationFailure "SnapshotTooOld" where it
    takes longer than the server remembers (minSnapshotHistoryWindowInSeconds, five minutes)."""
    counts: dict[str, int] = {}
    async with AsyncMongoClient[Any](mongo_uri) as client, client.start_session(snapshot=True) as session:
        for service in facts.services():
            database = client.get_database(prefix + service, codec_options=_RAW)
            into = folder / service
            into.mkdir(parents=True, exist_ok=True)
            counts[service] = 0
            for name in await _collections(database):
                with (into / f"{name}.bson").open("wb") as file:
                    async for document in database[name].find({}, session=session):
                        file.write(document.raw)
                        counts[service] += 1
    return counts


async def load(mongo_uri: str, prefix: str, folder: Path) -> dict[str, int]:
    """Databases as they were saved, in the place of those that are there; each process makes its indexes at start."""
    counts: dict[str, int] = {}
    async with AsyncMongoClient[Any](mongo_uri) as client:
        for source in sorted(path for path in folder.iterdir() if path.is_dir()):
            await client.drop_database(prefix + source.name)
            database = client[prefix + source.name]
            counts[source.name] = 0
            for file in sorted(source.glob("*.bson")):
                await database.create_collection(file.stem)
                for batch in _batches(file):
                    await database[file.stem].insert_many(batch, ordered=False)
                    counts[source.name] += len(batch)
    return counts


async def any_there(mongo_uri: str, prefix: str) -> bool:
    """Whether the server has databases of ours."""
    async with AsyncMongoClient[Any](mongo_uri) as client:
        names = await client.list_database_names()
    return any(prefix + service in names for service in facts.services())


async def publish_again(mongo_uri: str, prefix: str, missing: dict[str, list[str]]) -> int:
    """Facts that were published and that the streams no longer have: the relays take them up as if they were new.
    `missing` has their ids by service."""
    marked = 0
    async with AsyncMongoClient[Any](mongo_uri) as client:
        for service, ids in missing.items():
            change = {"$set": {"pending": True}, "$unset": {"published_time": ""}}
            result = await client[prefix + service]["outbox"].update_many({"_id": {"$in": ids}}, change)
            marked += result.modified_count
    return marked


async def _collections(database: Any) -> list[str]:
    names: list[str] = await database.list_collection_names()
    return sorted(name for name in names if not name.startswith("system.") and name != _OF_THE_MOMENT)


def _batches(file: Path) -> Iterator[list[RawBSONDocument]]:
    batch: list[RawBSONDocument] = []
    size = 0
    with file.open("rb") as opened:
        for document in bson.decode_file_iter(opened, _RAW):
            batch.append(document)
            size += len(document.raw)
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch
