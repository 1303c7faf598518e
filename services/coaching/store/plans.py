"""Plans, each state that they have been in, what was said about them, and what they are held against."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from livinglab.assessment.v1 import evidence_events_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import plan_service_pb2 as rpc
from livinglab.coaching.v1 import service_pb2
from livinglab.program.v1 import events_pb2 as program_pb
from pymongo import IndexModel

from chassis import auth, mongo, pages
from chassis.errors import not_found
from services.coaching.model.ground import Window
from services.coaching.model.plan import AGREED
from services.coaching.store import rows
from services.coaching.store.documents import fields, plan_of

_INDEXES = {
    "plans": [
        IndexModel([("cohort_id", 1), ("_id", 1)]),
        IndexModel([("cohort_id", 1), ("institution", 1), ("_id", 1)]),
        IndexModel([("institution", 1), ("rehearsal", 1)]),
    ],
    "plan_revisions": [IndexModel([("plan_id", 1), ("version", -1)])],
    "plan_comments": [IndexModel([("plan_id", 1), ("_id", 1)])],
    # First and last day of each cohort's program.
    "windows": [],
    # Whose each uploaded piece of evidence is.
    "pieces": [],
}
_MOST_REVISIONS = 1_000


class PlanStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def find(self, tx: mongo.Tx, plan_id: str) -> pb.Plan | None:
        """The plan as this transaction sees it, or None."""
        row = await self.db["plans"].find_one({"_id": plan_id}, session=tx.session)
        return plan_of(row) if row else None

    async def plan(self, plan_id: str, tx: mongo.Tx | None = None) -> pb.Plan:
        """NOT_FOUND where there is none."""
        row = await self.db["plans"].find_one({"_id": plan_id}, session=tx.session if tx else None)
        if row is None:
            raise not_found("plan", plan_id)
        return plan_of(row)

    async def agreed(self, tx: mongo.Tx, institution: str, rehearsal: str) -> list[pb.Plan]:
        """The approved plans of an institution in a realm."""
        query = {"institution": institution, "rehearsal": rehearsal, "state": {"$in": list(AGREED)}}
        return [plan_of(row) for row in await self.db["plans"].find(query, session=tx.session).to_list(None)]

    async def save(self, tx: mongo.Tx, plan: pb.Plan, fact: Message) -> None:
        """Stores the next version with the fact that made it, and keeps it as a revision. ABORTED where somebody else
        stored one first."""
        row = fields(plan)
        await rows.save(self.db, tx, "plans", plan, row)
        revision = {
            "_id": f"{plan.id}@{plan.etag}",
            "plan_id": plan.id,
            "version": int(plan.etag),
            "time": datetime.now(UTC),
            "author": auth.actor("coaching"),
            "what": fact.DESCRIPTOR.name,
            "state": plan.state,
            "body": plan.SerializeToString(deterministic=True),
        }
        await self.db["plan_revisions"].insert_one(revision, session=tx.session)
        tx.add(fact)

    async def page(self, keys: Mapping[str, Any], request: service_pb2.ListPlansRequest) -> tuple[list[pb.Plan], str]:
        """Plans ordered by id, and the token of the next page."""
        return await pages.page(self.db["plans"], keys, request, plan_of)

    async def every(self, keys: Mapping[str, Any]) -> list[pb.Plan]:
        """All plans that have these keys, ordered by id."""
        return [plan_of(row) for row in await self.db["plans"].find(dict(keys)).sort("_id", 1).to_list(None)]

    async def revisions(self, plan_id: str) -> list[rpc.PlanRevision]:
        """The newest thousand, newest first."""
        query = self.db["plan_revisions"].find({"plan_id": plan_id}, {"body": 0}).sort("version", -1)
        return [_revision_of(row) for row in await query.limit(_MOST_REVISIONS).to_list(None)]

    async def revision(self, plan_id: str, etag: str) -> pb.Plan:
        """The plan as it was then. NOT_FOUND for one that was not kept."""
        row = await self.db["plan_revisions"].find_one({"_id": f"{plan_id}@{etag}"})
        if row is None:
            raise not_found("revision", f"{etag} of {plan_id}")
        return pb.Plan.FromString(row["body"])

    # What people say of them.

    async def add_comment(self, tx: mongo.Tx, comment: rpc.PlanComment) -> None:
        """Keeps a new comment."""
        row = {"plan_id": comment.plan_id, "action_id": comment.action_id, "open": True, **_body(comment)}
        await self.db["plan_comments"].insert_one({"_id": comment.id, **row}, session=tx.session)

    async def comment(self, tx: mongo.Tx, comment_id: str) -> rpc.PlanComment:
        """NOT_FOUND where there is none."""
        row = await self.db["plan_comments"].find_one({"_id": comment_id}, session=tx.session)
        if row is None:
            raise not_found("comment", comment_id)
        return rpc.PlanComment.FromString(row["body"])

    async def close_comment(self, tx: mongo.Tx, comment: rpc.PlanComment) -> None:
        """Keeps that it is resolved."""
        change = {"$set": {"open": False, **_body(comment)}}
        await self.db["plan_comments"].update_one({"_id": comment.id}, change, session=tx.session)

    async def open_comments(self, tx: mongo.Tx, plan_id: str) -> list[rpc.PlanComment]:
        """Those that are not resolved, oldest first."""
        keys = {"plan_id": plan_id, "open": True}
        rows = await self.db["plan_comments"].find(keys, session=tx.session).sort("_id", 1).to_list(None)
        return [_comment(row) for row in rows]

    async def comments(
        self, keys: Mapping[str, Any], request: rpc.ListPlanCommentsRequest
    ) -> tuple[list[rpc.PlanComment], str]:
        """Oldest first, and the token of the next page."""
        return await pages.page(self.db["plan_comments"], keys, request, _comment)

    # What they are held against.

    async def keep_window(self, tx: mongo.Tx, event: program_pb.CohortLaunched) -> None:
        """When a cohort's program is; one that was told by an older release says nothing of it."""
        if event.start_date and event.end_date:
            row = {"start": event.start_date, "end": event.end_date}
            key = {"_id": event.cohort_id}
            await self.db["windows"].update_one(key, {"$setOnInsert": row}, upsert=True, session=tx.session)

    async def open_window(self, tx: mongo.Tx, cohort_id: str) -> None:
        """Its days have moved: how far is the program's to say, so no last day is held against anybody."""
        change = {"$set": {"start": "", "end": ""}}
        await self.db["windows"].update_one({"_id": cohort_id}, change, upsert=True, session=tx.session)

    async def window(self, tx: mongo.Tx, cohort_id: str) -> Window:
        """First and last day, empty where they are not known."""
        row = await self.db["windows"].find_one({"_id": cohort_id}, session=tx.session)
        return Window(row["start"], row["end"]) if row else Window()

    async def keep_piece(self, tx: mongo.Tx, event: evidence_events_pb2.EvidenceUploaded) -> None:
        """Whose a piece of evidence is."""
        row = {"institution": event.institution, "rehearsal": event.meta.rehearsal, "agency": event.agency}
        key = {"_id": event.evidence_id}
        await self.db["pieces"].replace_one(key, row, upsert=True, session=tx.session)

    async def pieces(
        self, tx: mongo.Tx, plan: pb.Plan, named: Collection[str], agency: str | None = None
    ) -> frozenset[str]:
        """Those of the named pieces that are the institution's own; for an agency those that it has brought itself."""
        if not named:
            return frozenset()
        query = {"_id": {"$in": sorted(named)}, "institution": plan.institution, "rehearsal": plan.rehearsal}
        if agency is not None:
            query["agency"] = agency
        found = await self.db["pieces"].find(query, {"_id": 1}, session=tx.session).to_list(None)
        return frozenset(row["_id"] for row in found)


def _body(comment: rpc.PlanComment) -> dict[str, Any]:
    return {"body": comment.SerializeToString(deterministic=True)}


def _revision_of(row: Mapping[str, Any]) -> rpc.PlanRevision:
    return rpc.PlanRevision(
        revision=str(row["version"]),
        time=mongo.timestamp(row["time"]),
        author=row["author"],
        what=row["what"],
        state=row["state"],
    )


def _comment(row: Mapping[str, Any]) -> rpc.PlanComment:
    return rpc.PlanComment.FromString(row["body"])
