"""What each level of an instrument asks for: the revision that stands, ready to be asked."""

import hashlib
import time
from collections.abc import Callable

from livinglab.assessment.v1 import evaluation_pb2, events_pb2, instrument_pb2
from livinglab.assessment.v1 import guidance_pb2 as pb
from livinglab.common.v1.meta_pb2 import Meta

from chassis import mongo
from chassis.errors import Kind, Refused, Violation, invalid, not_found
from instruments.guidance import Guides
from instruments.guidance_lint import lint
from services.assessment.store.editions import Editions

_LARGEST = 512 * 2**10
_LOOKED_UP_EVERY = 60.0  # seconds: so long a revision that another replica took may go unseen


class Guidances:
    """Guidance is read seldom and changes seldomer: what was read is kept for a minute."""

    def __init__(self, db: mongo.Database, editions: Editions, clock: Callable[[], float] = time.monotonic) -> None:
        self._db, self._editions, self._clock = db, editions, clock
        self._guidance = db["guidance"]
        self._known: dict[str, tuple[float, pb.Guidance, Guides]] = {}

    async def prepare(self) -> None:
        """The collection; once at start-up."""
        await self._db.prepare({"guidance": []})

    async def get(self, instrument: str, version: int = 0) -> pb.Guidance:
        """For that version of the instrument, or the newest for 0. NOT_FOUND where nobody has written any."""
        edition = await self._editions.find(instrument, version)
        if edition is None:
            raise not_found("instrument", f"{instrument}:{version}" if version else instrument)
        found = (await self._read(edition.instrument))[0]
        if not found.revision:
            raise not_found("guidance", f"{instrument}:{edition.instrument.version}")
        return found

    async def of(self, evaluation: evaluation_pb2.Evaluation) -> Guides:
        """The guides of the evaluation's indicators; empty where nobody has written any."""
        return (await self._read((await self._editions.of(evaluation)).instrument))[1]

    async def publish(self, tx: mongo.Tx, guidance: pb.Guidance) -> None:
        """Puts a revision in the place of an earlier one. INVALID_ARGUMENT with every fault; NOT_FOUND for the
        instrument; GUIDANCE_CHANGED where this revision or a later one stands with another content."""
        if guidance.ByteSize() > _LARGEST:
            raise invalid([Violation("guidance", f"has more than {_LARGEST} bytes")])
        edition = await self._editions.find(guidance.instrument, guidance.version)
        if edition is None:
            raise not_found("instrument", f"{guidance.instrument}:{guidance.version}")
        faults = [Violation(f"guidance.{place}", reason) for place, reason in lint(guidance, edition.instrument)]
        if faults:
            raise invalid(faults)
        if not await self._keep(tx, guidance):
            key = _key(guidance)
            message = f"revision {guidance.revision} of the guidance for {key} stands with another content, or a later"
            raise Refused(Kind.ALREADY_EXISTS, "GUIDANCE_CHANGED", f"{message} one does", resource=("guidance", key))

    async def ship(self, guidance: pb.Guidance) -> None:
        """Keeps what this build brings, unless a revision as high is there."""

        async def decide(tx: mongo.Tx) -> None:
            await self._keep(tx, guidance)

        await self._db.transaction(decide)

    async def _keep(self, tx: mongo.Tx, guidance: pb.Guidance) -> bool:
        """Whether this content stands now."""
        key, body = _key(guidance), guidance.SerializeToString(deterministic=True)
        digest = hashlib.sha256(body).hexdigest()
        known = await self._guidance.find_one({"_id": key}, {"revision": 1, "digest": 1}, session=tx.session)
        if known is not None and known["revision"] >= guidance.revision:
            return bool(known["digest"] == digest)
        row = {"revision": guidance.revision, "digest": digest, "body": body}
        await self._guidance.update_one({"_id": key}, {"$set": row}, upsert=True, session=tx.session)
        meta = Meta(aggregate_id=f"guidance:{key}", version=guidance.revision)
        tx.add(events_pb2.GuidancePublished(meta=meta, instrument_id=guidance.instrument, guidance=guidance))
        self._known.pop(key, None)
        return True

    async def _read(self, instrument: instrument_pb2.Instrument) -> tuple[pb.Guidance, Guides]:
        key = f"{instrument.id}:{instrument.version}"
        known = self._known.get(key)
        if known is None or self._clock() - known[0] > _LOOKED_UP_EVERY:
            row = await self._guidance.find_one({"_id": key})
            found = pb.Guidance.FromString(row["body"]) if row else pb.Guidance()
            known = self._known[key] = (self._clock(), found, Guides(found, instrument))
        return known[1], known[2]


def _key(guidance: pb.Guidance) -> str:
    return f"{guidance.instrument}:{guidance.version}"
