"""What is kept of who coaches whom: all of a cohort at once, who has left, and what their regions lack."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from livinglab.coaching.v1 import assignment_pb2 as pb
from livinglab.coaching.v1 import coaching_pb2
from pymongo import IndexModel, UpdateOne

from chassis import mongo
from instruments.tree import Instrument, Node
from services.coaching.model.pairing import coaches as model
from services.coaching.model.pairing.matching import Aspect
from services.coaching.model.plan import plan_id
from services.coaching.store.coaching import Store
from services.coaching.store.documents import plan_of

_INDEXES = {
    "assignments": [
        IndexModel([("cohort_id", 1), ("coach_id", 1)]),
        IndexModel([("coach_id", 1)]),
        IndexModel([("institution", 1), ("coach_id", 1)]),
    ],
    "coach_leaves": [IndexModel([("cohort_id", 1)])],
}


@dataclass(frozen=True, slots=True)
class Assigned:
    """One assignment as it is kept; `turn` counts the coaches that the institution has had in the cohort."""

    cohort_id: str
    institution: str
    coach_id: str
    rehearsal: str
    left: bool
    turn: int


class AssignmentRows:
    """Documents in, records out; the only class that writes who coaches whom, and how many places that takes."""

    def __init__(self, store: Store) -> None:
        self.db = store.db
        self._store = store

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    async def assignment(self, tx: mongo.Tx, cohort_id: str, institution: str) -> model.Assignment | None:
        """Who coaches the institution in the cohort, if anybody does."""
        row = await self.db["assignments"].find_one({"_id": f"{cohort_id}/{institution}"}, session=tx.session)
        return model.Assignment(cohort_id, institution, row["coach_id"], row["rehearsal"]) if row else None

    async def loads(self, tx: mongo.Tx, cohort_id: str) -> dict[str, int]:
        """How many places of each coach are taken in a cohort."""
        rows = await self.db["loads"].find({"cohort_id": cohort_id}, session=tx.session).to_list(None)
        return {row["coach_id"]: row["count"] for row in rows}

    async def assign(self, tx: mongo.Tx, assignment: model.Assignment) -> None:
        """Takes a place of the coach. Two at once meet at the coach's load, and one of them decides again."""
        row = {
            "_id": assignment.id,
            "cohort_id": assignment.cohort_id,
            "institution": assignment.institution,
            "coach_id": assignment.coach_id,
            "rehearsal": assignment.rehearsal,
            "left": False,
        }
        await self.db["assignments"].insert_one(row, session=tx.session)
        await self._take_places(tx, assignment.cohort_id, {assignment.coach_id: 1})

    async def note_standing(self, tx: mongo.Tx, cohort_id: str, institution: str, version: int, *, left: bool) -> None:
        """A participant that left gives its place back, one that is in again takes it again, whoever has one now; the
        plan keeps its coach. What is older than what is known changes nothing."""
        older = {"$or": [{"version": {"$lt": version}}, {"version": {"$exists": False}}]}
        row = await self.db["assignments"].find_one_and_update(
            {"_id": f"{cohort_id}/{institution}", **older},
            {"$set": {"left": left, "version": version}},
            session=tx.session,
        )
        if row is not None and row["left"] != left:
            await self._take_places(tx, cohort_id, {row["coach_id"]: -1 if left else 1})

    async def _take_places(self, tx: mongo.Tx, cohort_id: str, places: Mapping[str, int]) -> None:
        """So many more of each coach, or fewer."""
        changes = [
            UpdateOne(
                {"_id": f"{cohort_id}/{coach_id}"},
                {"$inc": {"count": count}, "$setOnInsert": {"cohort_id": cohort_id, "coach_id": coach_id}},
                upsert=True,
            )
            for coach_id, count in places.items()
            if count
        ]
        if changes:
            await self.db["loads"].bulk_write(changes, session=tx.session)

    async def of_cohort(self, tx: mongo.Tx, cohort_id: str) -> list[Assigned]:
        """Everybody's who has a coach in the cohort, those who left it too."""
        rows = await self.db["assignments"].find({"cohort_id": cohort_id}, session=tx.session).to_list(None)
        return [_assigned(row) for row in rows]

    async def of_coach(self, coach_id: str, cohort_id: str) -> list[Assigned]:
        """The coach's who are still in, of one cohort or of all that are real."""
        keys: dict[str, Any] = {"cohort_id": cohort_id} if cohort_id else {"rehearsal": ""}
        rows = await self.db["assignments"].find({**keys, "coach_id": coach_id, "left": False}).to_list(None)
        return sorted((_assigned(row) for row in rows), key=lambda one: (one.cohort_id, one.institution))

    async def before(
        self, tx: mongo.Tx, rehearsal: str, cohort_id: str, institutions: Collection[str]
    ) -> dict[str, set[str]]:
        """Who coached each of them in other cohorts of the realm."""
        keys = {"institution": {"$in": list(institutions)}, "cohort_id": {"$ne": cohort_id}, "rehearsal": rehearsal}
        found: dict[str, set[str]] = {}
        async for row in self.db["assignments"].find(keys, session=tx.session):
            found.setdefault(row["institution"], set()).add(row["coach_id"])
        return found

    async def gone(self, tx: mongo.Tx, cohort_id: str) -> set[str]:
        """Coaches who have dropped out of the cohort."""
        rows = await self.db["coach_leaves"].find({"cohort_id": cohort_id}, session=tx.session).to_list(None)
        return {row["coach_id"] for row in rows}

    async def keep_gone(self, tx: mongo.Tx, cohort_id: str, coach_id: str, reason: str) -> None:
        """Notes that a coach has dropped out."""
        row = {"_id": f"{cohort_id}/{coach_id}", "cohort_id": cohort_id, "coach_id": coach_id, "reason": reason}
        await self.db["coach_leaves"].insert_one(row, session=tx.session)

    async def keep(
        self, tx: mongo.Tx, cohort_id: str, rehearsal: str, pairs: Sequence[pb.Pair], known: Mapping[str, Assigned]
    ) -> None:
        """Stores the pairs, and moves the places of their coaches."""
        changes, places = [], dict[str, int]()
        for pair in pairs:
            earlier = known.get(pair.institution)
            key = f"{cohort_id}/{pair.institution}"
            said = {"coach_id": pair.coach_id, "turn": earlier.turn + 1 if earlier else 1}
            first = {
                "cohort_id": cohort_id,
                "institution": pair.institution,
                "rehearsal": rehearsal,
                "left": False,
            }
            changes.append(UpdateOne({"_id": key}, {"$set": said, "$setOnInsert": first}, upsert=True))
            if earlier is None or not earlier.left:
                places[pair.coach_id] = places.get(pair.coach_id, 0) + 1
            if earlier is not None and not earlier.left:
                places[earlier.coach_id] = places.get(earlier.coach_id, 0) - 1
        if changes:
            await self.db["assignments"].bulk_write(changes, session=tx.session)
        await self._take_places(tx, cohort_id, places)

    async def evaluations(
        self, institutions: Collection[str], rehearsal: str, tx: mongo.Tx | None = None
    ) -> dict[str, dict[str, Any]]:
        """The newest one of each as it is kept."""
        keys = {"institution": {"$in": list(institutions)}, "rehearsal": rehearsal}
        rows = self.db["evaluations"].find(keys, session=tx.session if tx else None)
        found: dict[str, dict[str, Any]] = {}
        async for row in rows.sort([("order", -1), ("submit_time", -1)]):
            found.setdefault(row["institution"], row)
        return found

    async def gaps(self, tx: mongo.Tx, institutions: Collection[str], rehearsal: str) -> dict[str, list[Aspect]]:
        """What each lacks by aspect, from its newest evaluation; nothing for who has none, or where a lowest value
        decides."""
        rows = await self.evaluations(institutions, rehearsal, tx)
        named = {(row["instrument"], row["instrument_version"]) for row in rows.values()}
        trees = {one: await self._store.find_instrument(tx, *one) for one in named}
        found = {}
        for code, row in rows.items():
            tree = trees[row["instrument"], row["instrument_version"]]
            if tree is not None and not tree.lowest_decides:
                values = {one["item"]: Decimal(one["value"]) for one in row["values"]}
                part = tree.without(frozenset(row.get("absent", ())))
                found[code] = _by_aspect(row["instrument"], part, values)
        return found

    async def plans(self, assigned: Iterable[Assigned]) -> dict[str, coaching_pb2.Plan]:
        """Their plans, by id."""
        wanted = [plan_id(one.cohort_id, one.institution) for one in assigned]
        rows = await self.db["plans"].find({"_id": {"$in": wanted}}).to_list(None)
        return {row["_id"]: plan_of(row) for row in rows}


def _by_aspect(instrument: str, tree: Instrument, values: Mapping[str, Decimal]) -> list[Aspect]:
    lacking: dict[str, Fraction] = {}
    for item in tree.items(values):
        number = item.indicator.number
        lacking[number] = lacking.get(number, Fraction()) + item.share * Fraction(tree.maximum - item.value)
    return [
        Aspect(
            instrument, node.number, node.name, sum((lacking.get(one, Fraction()) for one in node.items), Fraction())
        )
        for node in _aspects(tree)
    ]


def _aspects(tree: Instrument) -> list[Node]:
    """What stands right above the indicators; the root where nothing is between."""
    return [node for node in tree.root.below() if node.children and not node.children[0].children]


def _assigned(row: dict[str, Any]) -> Assigned:
    return Assigned(
        row["cohort_id"], row["institution"], row["coach_id"], row["rehearsal"], row["left"], row.get("turn", 1)
    )
