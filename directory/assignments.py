"""Which coach and which assessor is assigned where, learnt from facts. Beyond their assignments they see only what the
public sees. Coaches are assigned to institutions, assessors to evaluations; each service keeps the assignments in a
collection of its own."""

from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.coaching.v1 import events_pb2 as coaching_pb
from livinglab.common.v1 import options_pb2
from pymongo import IndexModel

from chassis import auth, mongo
from chassis.errors import denied

COLLECTION = "assigned"
_INDEXES = [IndexModel([("subject", 1), ("role", 1), ("institution", 1)])]
_COACH, _ASSESSOR = options_pb2.ROLE_COACH, options_pb2.ROLE_ASSESSOR
_ROLES = frozenset({_COACH, _ASSESSOR})


class Assignments:
    """The collection, and what it says of a caller."""

    def __init__(self, db: mongo.Database) -> None:
        self._db = db
        self._rows = db[COLLECTION]

    async def prepare(self) -> None:
        """The collection; once at start-up."""
        await self._db.prepare({COLLECTION: _INDEXES})

    async def on_coach_assigned(self, tx: mongo.Tx, event: coaching_pb.CoachAssigned) -> None:
        """A coach stays with an institution for good: afterwards it may still look at what was done."""
        key = f"coach/{event.meta.cohort_id}/{event.institution}"
        await self._keep(tx, key, _COACH, event.coach_id, event.institution, event.meta.cohort_id, event.meta.version)

    async def on_assessor_assigned(self, tx: mongo.Tx, event: assessment_pb.AssessorAssigned) -> None:
        """From now on."""
        key = f"assessor/{event.evaluation_id}/{event.assessor}"
        await self._keep(
            tx, key, _ASSESSOR, event.assessor, event.institution, event.meta.cohort_id, event.meta.version
        )

    async def on_assessor_withdrawn(self, tx: mongo.Tx, event: assessment_pb.AssessorWithdrawn) -> None:
        """The row stays, so that an assignment that was heard late changes nothing."""
        key = f"assessor/{event.evaluation_id}/{event.assessor}"
        await self._keep(tx, key, _ASSESSOR, "", event.institution, event.meta.cohort_id, event.meta.version)

    async def _keep(
        self, tx: mongo.Tx, key: str, role: int, subject: str, institution: str, cohort_id: str, version: int
    ) -> None:
        known = await self._rows.find_one({"_id": key}, {"version": 1}, session=tx.session)
        if known is not None and known["version"] >= version:
            return
        row = {
            "role": role,
            "subject": subject,
            "institution": institution,
            "cohort_id": cohort_id,
            "version": version,
        }
        await self._rows.replace_one({"_id": key}, row, upsert=True, session=tx.session)

    async def reached(self, caller: auth.Caller) -> frozenset[str] | None:
        """The institutions that a coach or an assessor is assigned to; None for the other roles, which are bound by
        what they are."""
        if caller.role not in _ROLES:
            return None
        found = await self._rows.distinct("institution", {"subject": caller.subject, "role": caller.role})
        return frozenset(found)

    async def cohorts(self, caller: auth.Caller) -> frozenset[str] | None:
        """The cohorts of those institutions; None as for `reached`."""
        if caller.role not in _ROLES:
            return None
        return frozenset(await self._rows.distinct("cohort_id", {"subject": caller.subject, "role": caller.role}))

    async def coach_of(self, cohort_id: str, institution: str) -> str:
        """The subject of an institution's coach in a cohort; empty where it has none."""
        row = await self._rows.find_one({"_id": f"coach/{cohort_id}/{institution}"}, {"subject": 1})
        return str(row["subject"]) if row else ""

    async def assessors_of(self, evaluation_id: str) -> list[str]:
        """The subjects of those who are assigned to an evaluation now, in order."""
        prefix = f"assessor/{evaluation_id}/"
        # Up to what follows the last character of the prefix.
        query = {"_id": {"$gte": prefix, "$lt": prefix[:-1] + "0"}, "subject": {"$ne": ""}}
        return [row["subject"] async for row in self._rows.find(query, {"subject": 1}).sort("_id")]

    async def reaches(self, caller: auth.Caller, institution: str) -> bool:
        """Whether a coach or an assessor is assigned to the institution; True for the other roles."""
        if caller.role not in _ROLES:
            return True
        asked = {"subject": caller.subject, "role": caller.role, "institution": institution}
        return await self._rows.find_one(asked, {"_id": 1}) is not None

    async def require(self, institution: str) -> auth.Caller:
        """The caller, if they may reach the institution: its own people, the coach and the assessors assigned to it,
        and those roles that reach all of them. PERMISSION_DENIED otherwise."""
        caller = auth.caller()
        caller.require_institution(institution)
        if not await self.reaches(caller, institution):
            raise not_assigned(caller, institution)
        return caller


def not_assigned(caller: auth.Caller, what: str) -> Exception:
    """A coach or an assessor asks for what is somebody else's."""
    return denied("NOT_ASSIGNED", f"{caller.subject} is not assigned to {what}")
