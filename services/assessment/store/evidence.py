"""Evidence as it is kept: files by institution, uploads under way, what is shown for each indicator."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from livinglab.assessment.v1 import evidence_pb2 as pb
from livinglab.assessment.v1 import evidence_service_pb2
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from chassis import mongo, pages
from chassis.errors import conflict, not_found, precondition
from services.assessment.model.evidence import STANDING
from services.assessment.store.evidence_rows import address_key, evidence_of, indicator_of, indicator_row, row_of

DatabaseFailure = PyMongoError

_INDEXES = {
    "evidence": [
        IndexModel([("institution", 1), ("sha256", 1)], unique=True),
        IndexModel([("institution", 1), ("_id", 1)]),
        IndexModel([("origin", 1), ("revision", 1)]),
        IndexModel([("valid_until", 1)], partialFilterExpression={"watched": True}),
    ],
    # One document an institution, that every announcement changes: two at once meet there.
    "upload_turns": [],
    "uploads": [IndexModel([("institution", 1), ("sha256", 1)], unique=True)],
    "indicator_evidence": [
        IndexModel([("evaluation", 1), ("indicator", 1)], unique=True),
        IndexModel([("pieces.evidence", 1), ("evaluation", 1)]),
    ],
    # For how many indicators of an evaluation evidence stands, as was told last.
    "evidence_coverage": [],
}


class EvidenceStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        self._evidence = db["evidence"]
        self._uploads = db["uploads"]
        self._turns = db["upload_turns"]
        self._shown = db["indicator_evidence"]
        self._coverage = db["evidence_coverage"]

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def get(self, evidence_id: str, tx: mongo.Tx | None = None) -> pb.Evidence:
        """NOT_FOUND where there is none."""
        found = await self.find(evidence_id, tx)
        if found is None:
            raise not_found("evidence", evidence_id)
        return found

    async def find(self, evidence_id: str, tx: mongo.Tx | None = None) -> pb.Evidence | None:
        """The file, or None."""
        row = await self._evidence.find_one({"_id": evidence_id}, session=tx.session if tx else None)
        return evidence_of(row) if row else None

    async def named(self, ids: Iterable[str]) -> list[pb.Evidence]:
        """The files of these ids, ordered by id."""
        rows = await self._evidence.find({"_id": {"$in": sorted(set(ids))}}).sort("_id").to_list(None)
        return [evidence_of(row) for row in rows]

    async def page(self, request: evidence_service_pb2.ListEvidenceRequest) -> tuple[list[pb.Evidence], str]:
        """An institution's files, and the token of the next page."""
        return await pages.page(self._evidence, {"institution": request.institution}, request, evidence_of)

    async def of_content(self, tx: mongo.Tx, institution: str, sha256: str) -> tuple[pb.Evidence | None, bool]:
        """The institution's file of that content, and whether it is complete."""
        query = {"institution": institution, "sha256": sha256}
        row = await self._evidence.find_one(query, session=tx.session)
        if row is not None:
            return evidence_of(row), True
        row = await self._uploads.find_one(query, session=tx.session)
        return (evidence_of(row) if row else None), False

    async def uploads(self, tx: mongo.Tx, institution: str) -> int:
        """How many files of the institution are under way; whoever else counts now to announce one decides again."""
        turn = {"$inc": {"turn": 1}}
        await self._turns.update_one({"_id": institution}, turn, upsert=True, session=tx.session)
        return int(await self._uploads.count_documents({"institution": institution}, session=tx.session))

    async def stale_uploads(self, institution: str, before: datetime) -> list[str]:
        """Uploads that were announced long ago and never ended."""
        query = {"institution": institution, "time": {"$lt": before}}
        return [row["_id"] async for row in self._uploads.find(query, {"_id": 1})]

    async def upload(self, upload_id: str) -> pb.Evidence | None:
        """A file under way, or None."""
        row = await self._uploads.find_one({"_id": upload_id})
        return evidence_of(row) if row else None

    async def announce(self, tx: mongo.Tx, pending: pb.Evidence) -> None:
        """Keeps what an upload is to become; ABORTED where somebody announced the same at once."""
        try:
            await self._uploads.insert_one(row_of(pending), session=tx.session)
        except DuplicateKeyError as error:
            raise conflict("upload of", pending.sha256) from error

    async def complete(self, tx: mongo.Tx, evidence: pb.Evidence) -> bool:
        """The upload becomes a file; False where that happened before. ABORTED where another one of the same content
        was quicker."""
        gone = await self._uploads.delete_one({"_id": evidence.id}, session=tx.session)
        if gone.deleted_count == 0:
            return False
        await self.add(tx, evidence)
        return True

    async def add(self, tx: mongo.Tx, evidence: pb.Evidence) -> None:
        """A new piece, which takes the place of the one that it revises. ABORTED where another one of the same content
        was quicker; FAILED_PRECONDITION (REVISED) where another revision was."""
        origin = ""
        if evidence.revises:
            key = {"_id": evidence.revises, "revised_by": {"$in": ["", None]}}
            change = {"$set": {"revised_by": evidence.id, "watched": False}}
            before = await self._evidence.find_one_and_update(key, change, session=tx.session)
            if before is None:
                raise precondition("REVISED", f"evidence {evidence.revises} has a newer revision: revise that one")
            origin = before.get("origin", evidence.revises)
            if "origin" not in before:
                key, first = {"_id": evidence.revises}, {"$set": {"origin": origin, "revision": 1}}
                await self._evidence.update_one(key, first, session=tx.session)
        try:
            await self._evidence.insert_one(row_of(evidence, origin), session=tx.session)
        except DuplicateKeyError as error:
            raise conflict("evidence of", evidence.sha256 or evidence.link) from error

    async def of_link(self, tx: mongo.Tx, institution: str, link: str) -> pb.Evidence | None:
        """The piece that an institution has noted an address as."""
        query = {"institution": institution, "sha256": address_key(link)}
        row = await self._evidence.find_one(query, session=tx.session)
        return evidence_of(row) if row else None

    async def revisions(self, evidence_id: str) -> list[pb.Evidence]:
        """All revisions of a piece, the first one first; NOT_FOUND where there is none of it."""
        row = await self._evidence.find_one({"_id": evidence_id}, {"origin": 1})
        if row is None:
            raise not_found("evidence", evidence_id)
        if "origin" not in row:
            return [await self.get(evidence_id)]
        rows = await self._evidence.find({"origin": row["origin"]}).sort("revision", 1).to_list(None)
        return [evidence_of(one) for one in rows]

    async def set_validity(self, tx: mongo.Tx, evidence_id: str, valid_until: str) -> int:
        """Keeps its last day; the version that this gives to it."""
        change = {"$set": {"valid_until": valid_until, "watched": bool(valid_until)}, "$inc": {"version": 1}}
        return await self._version(tx, {"_id": evidence_id}, change)

    async def ending(self, day: str, most: int) -> list[pb.Evidence]:
        """Those that end on the day or before and of which nobody was told, the first to end first."""
        keys = {"watched": True, "valid_until": {"$lte": day}}
        return [
            evidence_of(row) for row in await self._evidence.find(keys).sort("valid_until").limit(most).to_list(None)
        ]

    async def told(self, tx: mongo.Tx, evidence_id: str) -> int:
        """Somebody is told that it ends; 0 where somebody was, else the version that this gives to it."""
        change = {"$set": {"watched": False}, "$inc": {"version": 1}}
        return await self._version(tx, {"_id": evidence_id, "watched": True}, change)

    async def _version(self, tx: mongo.Tx, key: dict[str, Any], change: dict[str, Any]) -> int:
        # A piece that an older release has stored has no version: its first fact was the upload.
        bare = {**key, "version": {"$exists": False}}
        await self._evidence.update_one(bare, {"$set": {"version": 1}}, session=tx.session)
        row = await self._evidence.find_one_and_update(
            key, change, {"version": 1}, return_document=ReturnDocument.AFTER, session=tx.session
        )
        return int(row["version"]) if row else 0

    async def forget(self, upload_id: str) -> None:
        """Drops an upload."""
        await self._uploads.delete_one({"_id": upload_id})

    async def shown(self, evaluation_id: str, indicator: str, tx: mongo.Tx) -> pb.IndicatorEvidence:
        """What is shown for an indicator; new and empty where nothing is."""
        query = {"evaluation": evaluation_id, "indicator": indicator}
        row = await self._shown.find_one(query, session=tx.session)
        return indicator_of(row) if row else pb.IndicatorEvidence(evaluation_id=evaluation_id, indicator=indicator)

    async def all_shown(self, evaluation_id: str, tx: mongo.Tx | None = None) -> dict[str, pb.IndicatorEvidence]:
        """What is shown in an evaluation, by indicator."""
        rows = self._shown.find({"evaluation": evaluation_id}, session=tx.session if tx else None)
        return {row["indicator"]: indicator_of(row) async for row in rows}

    async def save(self, tx: mongo.Tx, shown: pb.IndicatorEvidence) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        row = indicator_row(shown)
        try:
            if row["version"] == 1:
                await self._shown.insert_one(row, session=tx.session)
                return
            previous = {"_id": row["_id"], "version": row["version"] - 1}
            stored = await self._shown.find_one(previous, session=tx.session)
            if stored is None:
                raise conflict("evidence of indicator", shown.indicator)
            # What a newer release keeps beside what is known stays, also with a piece.
            before = {piece["evidence"]: piece for piece in stored["pieces"]}
            row["pieces"] = [{**before.get(piece["evidence"], {}), **piece} for piece in row["pieces"]]
            await self._shown.update_one(previous, {"$set": row}, session=tx.session)
        except DuplicateKeyError as error:
            raise conflict("evidence of indicator", shown.indicator) from error

    async def count_standing(self, tx: mongo.Tx, evaluation_id: str) -> tuple[int, int] | None:
        """For how many indicators evidence stands after this transaction's writes, and the version of that count; None
        where it is as it was. Two that change it at once meet here, and one of them counts again."""
        standing = {"evaluation": evaluation_id, "pieces.state": {"$in": STANDING}}
        count = int(await self._shown.count_documents(standing, session=tx.session))
        row = await self._coverage.find_one({"_id": evaluation_id}, session=tx.session)
        known, version = (row["count"], row["version"]) if row else (0, 0)
        if count == known:
            return None
        change = {"$set": {"count": count, "version": version + 1}}
        await self._coverage.update_one({"_id": evaluation_id}, change, upsert=True, session=tx.session)
        return count, version + 1

    async def evaluations_showing(self, evidence_id: str) -> list[str]:
        """The evaluations in which a file is handed in."""
        handed_in = {"evidence": evidence_id, "state": {"$ne": pb.EVIDENCE_STATE_DRAFT}}
        return list(await self._shown.distinct("evaluation", {"pieces": {"$elemMatch": handed_in}}))

    async def shown_for(self, evidence_id: str) -> dict[str, list[str]]:
        """The indicators that a file is shown for, drafts too, by evaluation."""
        found: dict[str, list[str]] = {}
        async for row in self._shown.find({"pieces.evidence": evidence_id}, {"evaluation": 1, "indicator": 1}):
            found.setdefault(row["evaluation"], []).append(row["indicator"])
        return found
