"""What coaching keeps: coaches, sessions, visits, agreements, plans, and projections of others' facts. Only this file
knows MongoDB."""

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.assessment.v1 import instrument_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.coaching.v1 import visit_pb2, visit_service_pb2
from pymongo import IndexModel

from chassis import mongo, pages
from chassis.errors import not_found, unavailable
from instruments import periods
from instruments.tree import Instrument, instrument_of
from services.coaching.model import sessions
from services.coaching.model.pairing import coaches as model
from services.coaching.model.planning import Evaluation
from services.coaching.store.documents import coach_of, fields, session_of, versioned
from services.coaching.store.rows import save

_INDEXES = {
    "coaches": [IndexModel([("rehearsal", 1), ("_id", 1)])],
    # How many institutions each coach has in a cohort.
    "loads": [IndexModel([("cohort_id", 1)])],
    "sessions": [IndexModel([("cohort_id", 1), ("start", 1)])],
    # `parties` are the visitor and the host.
    "visits": [
        IndexModel([("cohort_id", 1), ("_id", 1)]),
        IndexModel([("rehearsal", 1), ("_id", 1)]),
        IndexModel([("parties", 1), ("_id", 1)]),
    ],
    "attendance": [IndexModel([("cohort_id", 1), ("institution", 1)])],
    "agreements": [IndexModel([("cohort_id", 1), ("institution", 1)])],
    "evaluations": [IndexModel([("institution", 1), ("rehearsal", 1), ("order", -1), ("submit_time", -1)])],
    "instruments": [],
}

Evaluated: TypeAlias = (
    assessment_pb.EvaluationSubmitted | assessment_pb.StageConcluded | assessment_pb.EvaluationPublished
)


class Store:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self.db = db
        # A version of an instrument never changes.
        self._known: dict[str, Instrument] = {}

    async def prepare(self) -> None:
        """Collections and indexes; once at start-up."""
        await self.db.prepare(_INDEXES)

    # Coaches and who has whom.

    async def save_coach(self, tx: mongo.Tx, coach: pb.Coach) -> None:
        """Adds a coach, or replaces what was known of one. Realms do not share coaches."""
        key = {"_id": _coach_key(coach.rehearsal, coach.id)}
        await self.db["coaches"].replace_one(
            key, {**fields(coach), "coach_id": coach.id}, upsert=True, session=tx.session
        )

    async def coaches(self, tx: mongo.Tx, rehearsal: str) -> list[pb.Coach]:
        """All coaches of a realm."""
        rows = await self.db["coaches"].find({"rehearsal": rehearsal}, session=tx.session).to_list(None)
        return [coach_of(row) for row in rows]

    async def coach_page(self, request: rpc.ListCoachesRequest) -> tuple[list[pb.Coach], str]:
        """Coaches of a realm, ordered by id, and the token of the next page."""
        return await pages.page(self.db["coaches"], {"rehearsal": request.rehearsal}, request, coach_of)

    async def coach(self, tx: mongo.Tx, rehearsal: str, coach_id: str) -> pb.Coach:
        """NOT_FOUND where there is none."""
        row = await self.db["coaches"].find_one({"_id": _coach_key(rehearsal, coach_id)}, session=tx.session)
        if row is None:
            raise not_found("coach", coach_id)
        return coach_of(row)

    # Sessions, seats, signatures.

    async def session(self, tx: mongo.Tx, session_id: str) -> pb.Session | None:
        """The session as this transaction sees it, or None."""
        row = await self.db["sessions"].find_one({"_id": session_id}, session=tx.session)
        return session_of(row) if row else None

    async def save_session(self, tx: mongo.Tx, session: pb.Session) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        row = {**fields(session), "start": session.start_time.ToDatetime(UTC)}
        await save(self.db, tx, "sessions", session, row)

    async def sessions(self, cohort_id: str) -> list[pb.Session]:
        """Those of a cohort, by start."""
        rows = await self.db["sessions"].find({"cohort_id": cohort_id}).sort([("start", 1), ("_id", 1)]).to_list(None)
        return [session_of(row) for row in rows]

    async def seat(self, tx: mongo.Tx, request: rpc.RecordAttendanceRequest, session: pb.Session) -> bool:
        """Notes who sat on a seat; False where it was noted before."""
        row = {
            "session_id": session.id,
            "cohort_id": session.cohort_id,
            "rehearsal": session.rehearsal,
            "institution": request.institution,
            "role": model.seat_name(request.role),
            "name": request.name,
            "delegate": request.delegate,
        }
        return await self._add_once(tx, "attendance", sessions.seat_id(request), row)

    async def sign(self, tx: mongo.Tx, request: rpc.SignAgreementRequest) -> bool:
        """Keeps a signature; False where there is one."""
        row = {
            "cohort_id": request.cohort_id,
            "phase": request.phase,
            "institution": request.institution,
            "signatory": request.signatory,
            "rehearsal": request.rehearsal,
        }
        return await self._add_once(tx, "agreements", model.agreement_id(request), row)

    # Visits.

    async def visit(self, tx: mongo.Tx, visit_id: str) -> visit_pb2.Visit | None:
        """The visit as this transaction sees it, or None."""
        row = await self.db["visits"].find_one({"_id": visit_id}, session=tx.session)
        return versioned(row, visit_pb2.Visit) if row else None

    async def save_visit(self, tx: mongo.Tx, visit: visit_pb2.Visit) -> None:
        """Stores the next version; ABORTED where somebody else did so first."""
        await save(self.db, tx, "visits", visit, {**fields(visit), "parties": [visit.visitor, visit.host]})

    async def visit_page(
        self, keys: Mapping[str, Any], request: visit_service_pb2.ListVisitsRequest
    ) -> tuple[list[visit_pb2.Visit], str]:
        """Visits ordered by id, and the token of the next page."""
        read = functools.partial(versioned, message_class=visit_pb2.Visit)
        return await pages.page(self.db["visits"], keys, request, read)

    async def every_visit(self, keys: Mapping[str, Any]) -> list[visit_pb2.Visit]:
        """All visits that have these keys, ordered by id."""
        rows = await self.db["visits"].find(dict(keys)).sort("_id", 1).to_list(None)
        return [versioned(row, visit_pb2.Visit) for row in rows]

    # What others said.

    async def keep_instrument(self, tx: mongo.Tx, instrument: instrument_pb2.Instrument) -> None:
        """Keeps a version of an instrument."""
        row = {"body": instrument.SerializeToString(deterministic=True)}
        key = {"_id": f"{instrument.id}:{instrument.version}"}
        await self.db["instruments"].replace_one(key, row, upsert=True, session=tx.session)

    async def instrument(self, tx: mongo.Tx, name: str, version: int) -> Instrument:
        """UNAVAILABLE while its own fact is still on the way."""
        found = await self.find_instrument(tx, name, version)
        if found is None:
            raise unavailable(f"the projection of instrument {name}:{version}")
        return found

    async def find_instrument(self, tx: mongo.Tx, name: str, version: int) -> Instrument | None:
        """A version of an instrument, where its fact has arrived here."""
        key = f"{name}:{version}"
        if key not in self._known:
            row = await self.db["instruments"].find_one({"_id": key}, session=tx.session)
            if row is None:
                return None
            self._known[key] = instrument_of(instrument_pb2.Instrument.FromString(row["body"]))
        return self._known[key]

    async def newest_instrument(self, tx: mongo.Tx, name: str) -> Instrument | None:
        """Its newest version, where its fact has arrived here."""
        wanted = {"_id": {"$regex": f"^{re.escape(name)}:[0-9]+$"}}
        rows = await self.db["instruments"].find(wanted, {"_id": 1}, session=tx.session).to_list(None)
        if not rows:
            return None
        return await self.find_instrument(tx, name, max(int(row["_id"].rpartition(":")[2]) for row in rows))

    async def keep_evaluation(self, tx: mongo.Tx, event: Evaluated) -> bool:
        """Keeps what was submitted; False where what is there is as new."""
        meta = event.meta
        key = {"_id": event.evaluation_id}
        stored = await self.db["evaluations"].find_one(key, {"version": 1}, session=tx.session)
        if stored is not None and stored["version"] >= meta.version:
            return False
        row = {
            "version": meta.version,
            "institution": event.institution,
            "rehearsal": meta.rehearsal,
            "instrument": event.instrument,
            "instrument_version": event.instrument_version,
            "period": event.period,
            "order": periods.sort_key(event.period),
            "submit_time": meta.occurred_time.ToDatetime(UTC),
            "index": event.score.index,
            # A list, since a key may hold a dot.
            "values": [{"item": item, "value": value} for item, value in event.values.items()],
            "absent": list(event.not_applicable),
        }
        await self.db["evaluations"].replace_one(key, row, upsert=True, session=tx.session)
        return True

    async def newest_evaluation(
        self, tx: mongo.Tx, institution: str, rehearsal: str, evaluation_id: str = ""
    ) -> Evaluation | None:
        """The one named, else the newest of an institution in a realm; None where none is known."""
        keys = {"institution": institution, "rehearsal": rehearsal}
        if evaluation_id:
            keys["_id"] = evaluation_id
        newest = [("order", -1), ("submit_time", -1)]
        row = await self.db["evaluations"].find_one(keys, sort=newest, session=tx.session)
        if row is None:
            return None
        return Evaluation(
            id=row["_id"],
            instrument=row["instrument"],
            instrument_version=row["instrument_version"],
            rehearsal=row["rehearsal"],
            index=row["index"],
            values={value["item"]: Decimal(value["value"]) for value in row["values"]},
            period=row["period"],
            absent=frozenset(row.get("absent", ())),
        )

    async def instrument_of(self, tx: mongo.Tx, evaluation: Evaluation) -> Instrument:
        """What of its instrument applies to an evaluation's institution; UNAVAILABLE as for `instrument`."""
        found = await self.instrument(tx, evaluation.instrument, evaluation.instrument_version)
        return found.without(evaluation.absent)

    # How all of it is kept.

    async def _add_once(self, tx: mongo.Tx, collection: str, key: str, row: Mapping[str, Any]) -> bool:
        change = {"$setOnInsert": {**row, "time": datetime.now(UTC)}}
        result = await self.db[collection].update_one({"_id": key}, change, upsert=True, session=tx.session)
        return result.upserted_id is not None


def _coach_key(rehearsal: str, coach_id: str) -> str:
    return f"{rehearsal}/{coach_id}"
