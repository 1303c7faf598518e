"""The bytes of evidence, in GridFS: in by resumable uploads, one chunk in memory at a time; out as a stream."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from livinglab.assessment.v1 import evidence_pb2 as pb
from motor.motor_asyncio import AsyncIOMotorGridFSBucket
from pymongo import ASCENDING, DESCENDING, IndexModel, WriteConcern
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from chassis import mongo
from chassis.errors import Kind, Refused, invalid_field, precondition
from services.assessment.model import content_type

CHUNK_BYTES = 2**20
_BUCKET = "evidence_files"
# Chunks wait for no majority of their own: the transaction that makes a file of them commits after them, to a
# majority, and so do they. Until then the primary's own word holds.
_UNDER_WAY = {"write_concern": WriteConcern(w=1), "read_concern": ReadConcern("local")}
_INDEXES = {
    f"{_BUCKET}.files": [IndexModel([("filename", ASCENDING), ("uploadDate", ASCENDING)])],
    f"{_BUCKET}.chunks": [IndexModel([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)],
}


class EvidenceFiles:
    """GridFS as its specification writes it, so that any GridFS client reads what is here."""

    def __init__(self, db: mongo.Database) -> None:
        self._db = db
        self._chunks = db[f"{_BUCKET}.chunks"].with_options(**_UNDER_WAY)
        self._files = db[f"{_BUCKET}.files"]
        self._bucket = AsyncIOMotorGridFSBucket(db.client.get_database(db.name), bucket_name=_BUCKET)

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self._db.prepare(_INDEXES)

    async def offset(self, file_id: str) -> int:
        """How many bytes of the file are stored."""
        last = [
            {"$match": {"files_id": file_id}},
            {"$sort": {"n": DESCENDING}},
            {"$limit": 1},
            {"$project": {"n": 1, "size": {"$binarySize": "$data"}}},
        ]
        async for row in self._chunks.aggregate(last):
            return int(row["n"] * CHUNK_BYTES + row["size"])
        return 0

    async def resume(self, pending: pb.Evidence) -> "Incoming":
        """An upload where it was left: what is stored goes through the checks again."""
        incoming = Incoming(self._chunks, pending)
        async for row in self._chunks.find({"files_id": pending.id}).sort("n", ASCENDING).batch_size(2):
            incoming.look(row["data"])
        return incoming

    async def kind(self, incoming: "Incoming") -> pb.ContentType.ValueType:
        """What a complete upload is by its content; INVALID_ARGUMENT where it is nothing that is taken."""
        if not incoming.sniffer.is_archive():
            return incoming.sniffer.finish()
        file_id, size = incoming.pending.id, incoming.pending.size
        start = max(0, size - content_type.LONGEST_END)
        directory = content_type.directory_of(await self._read(file_id, start, size - start), size)
        return content_type.ooxml_kind(await self._read(file_id, directory.start, directory.length), size)

    async def close(self, tx: mongo.Tx, evidence: pb.Evidence) -> None:
        """Makes a file of the chunks."""
        row = {
            "_id": evidence.id,
            "length": evidence.size,
            "chunkSize": CHUNK_BYTES,
            "uploadDate": evidence.upload_time.ToDatetime(),
            "filename": evidence.file_name,
            "metadata": {"institution": evidence.institution, "sha256": evidence.sha256},
        }
        await self._files.insert_one(row, session=tx.session)

    async def discard(self, file_id: str) -> None:
        """Drops the chunks of an upload that comes to nothing."""
        await self._db[f"{_BUCKET}.chunks"].delete_many({"files_id": file_id})

    async def content(self, evidence_id: str) -> AsyncIterator[bytes]:
        """The bytes of a file, a chunk at a time."""
        stream = await self._bucket.open_download_stream(evidence_id)
        while data := await stream.readchunk():
            yield data

    async def _read(self, file_id: str, start: int, length: int) -> bytes:
        first, last = start // CHUNK_BYTES, max(start, start + length - 1) // CHUNK_BYTES
        query = {"files_id": file_id, "n": {"$gte": first, "$lte": last}}
        rows = [row["data"] async for row in self._chunks.find(query).sort("n", ASCENDING)]
        begin = start - first * CHUNK_BYTES
        return b"".join(rows)[begin : begin + length]


class Incoming:
    """One upload under way: its bytes are hashed and looked at as they pass, and stored chunk by chunk."""

    def __init__(self, chunks: Any, pending: pb.Evidence) -> None:
        self.pending = pending
        self.sniffer = content_type.Sniffer()
        self.received = 0
        self._chunks = chunks
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._storing: Awaitable[None] | None = None

    @property
    def stored(self) -> int:
        """Where the next upload starts if this one ends here."""
        return self.received - len(self._buffer)

    def look(self, data: bytes) -> None:
        """Takes note of bytes that are stored."""
        self._digest.update(data)
        self.sniffer.feed(data)
        self.received += len(data)

    async def take(self, offset: int, data: bytes) -> None:
        """The next bytes. FAILED_PRECONDITION for another place, INVALID_ARGUMENT for too many or of no known kind."""
        if offset != self.received:
            raise precondition("WRONG_OFFSET", f"the next byte of upload {self.pending.id} is {self.received}")
        if self.received + len(data) > self.pending.size:
            raise invalid_field("data", f"there are more than the announced {self.pending.size} bytes")
        self.look(data)
        self._buffer += data
        while len(self._buffer) >= CHUNK_BYTES:
            chunk = bytes(memoryview(self._buffer)[:CHUNK_BYTES])
            del self._buffer[:CHUNK_BYTES]
            await self._store(self.stored - CHUNK_BYTES, chunk)

    async def end(self) -> bool:
        """Stores what is left of a complete file; whether it is complete. INVALID_ARGUMENT for another SHA-256."""
        if self.received < self.pending.size:
            self.received = self.stored
            self._buffer.clear()
        elif self._digest.hexdigest() != self.pending.sha256:
            raise invalid_field("sha256", "the content has another SHA-256 than was announced")
        elif self._buffer:
            await self._store(self.stored, bytes(self._buffer))
            self._buffer.clear()
        await self.settle()
        return self.received == self.pending.size

    async def _store(self, start: int, chunk: bytes) -> None:
        """One chunk is written while the next one comes in."""
        await self.settle()
        row = {"files_id": self.pending.id, "n": start // CHUNK_BYTES, "data": chunk}
        self._storing = asyncio.ensure_future(self._insert(row))

    async def settle(self) -> None:
        """Waits for what is being written."""
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing

    async def _insert(self, row: dict[str, Any]) -> None:
        try:
            await self._chunks.insert_one(row)
        except DuplicateKeyError as error:
            message = f"somebody else sends upload {self.pending.id}: ask how far it is"
            raise Refused(Kind.ABORTED, "UPLOAD_IN_USE", message) from error
