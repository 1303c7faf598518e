"""Figures for whoever operates the platform: cohorts, participants and gates as they stand, read from what is stored.

Rehearsals are told apart: what is late in one is nobody's trouble."""

from datetime import UTC, datetime, timedelta

from livinglab.program.v1 import cohort_pb2, definition_pb2
from prometheus_client import Gauge

from chassis import mongo
from programs import phases
from programs.phases import ENDED
from services.program.model import closing, states
from services.program.store import views
from services.program.store.documents import Row

COHORTS = Gauge("livinglab_cohorts", "Cohorts, by state", ["state", "rehearsal"])
PARTICIPANTS = Gauge("livinglab_participants", "Participants of cohorts that run, by state", ["state", "rehearsal"])
BEHIND = Gauge(
    "livinglab_participants_behind", "Those who lack what a phase past its deadline requires of them", ["rehearsal"]
)
BLOCKED = Gauge("livinglab_gates_blocked", "Phases past their deadline that their gate keeps open", ["rehearsal"])
OVERDUE = Gauge(
    "livinglab_phases_overdue",
    "Phases of running cohorts whose time has come and that nothing has moved",
    ["rehearsal"],
)
# A workflow needs a moment to do what its time has come for.
_MOMENT = timedelta(minutes=2)
_KNOWN = {"state": 1, "rehearsal": 1, "phases": 1, "definition": 1}


class Figures:
    """Of the cohorts of one database; only reads."""

    def __init__(self, db: mongo.Database) -> None:
        self._cohorts = db["cohorts"]
        self._participants = db["participants"]

    async def look(self) -> None:
        """Counts, and tells what was counted."""
        await self._by_state()
        running = await self._cohorts.find({"state": {"$nin": list(ENDED)}}, _KNOWN).to_list(None)
        behind, blocked, overdue = {True: 0, False: 0}, {True: 0, False: 0}, {True: 0, False: 0}
        now = datetime.now(UTC)
        for row in running:
            late = [phase for phase in row["phases"] if _is_late(row["phases"][phase], now)]
            blocked[row["rehearsal"]] += sum(1 for phase in late if row["phases"][phase].get("held_time"))
            overdue[row["rehearsal"]] += sum(1 for phase in row["phases"].values() if _is_stuck(row, phase, now))
            if late:
                behind[row["rehearsal"]] += await self._behind(row, late)
        for gauge, counted in ((BEHIND, behind), (BLOCKED, blocked), (OVERDUE, overdue)):
            for rehearsal, count in counted.items():
                gauge.labels(_word(rehearsal)).set(count)
        await self._standing(running)

    async def _by_state(self) -> None:
        stages = [{"$group": {"_id": {"state": "$state", "rehearsal": "$rehearsal"}, "count": {"$sum": 1}}}]
        rows = await self._cohorts.aggregate(stages).to_list(None)
        # A state that nothing is in any more leaves no figure behind.
        COHORTS.clear()
        for row in rows:
            COHORTS.labels(states.cohort_state(row["_id"]["state"]), _word(row["_id"]["rehearsal"])).set(row["count"])

    async def _standing(self, running: list[Row]) -> None:
        """Only of cohorts that have not ended, by the index: those that have are history."""
        rehearses = {row["_id"]: row["rehearsal"] for row in running}
        stages = [
            {"$match": {"cohort": {"$in": list(rehearses)}}},
            {"$group": {"_id": {"cohort": "$cohort", "state": "$state"}, "count": {"$sum": 1}}},
        ]
        counted: dict[tuple[str, str], int] = {}
        for row in await self._participants.aggregate(stages).to_list(None):
            key = states.participant_state(row["_id"]["state"]), _word(rehearses[row["_id"]["cohort"]])
            counted[key] = counted.get(key, 0) + row["count"]
        PARTICIPANTS.clear()
        for (state, rehearsal), count in counted.items():
            PARTICIPANTS.labels(state, rehearsal).set(count)

    async def _behind(self, cohort_row: Row, late: list[str]) -> int:
        definition = definition_pb2.Definition.FromString(cohort_row["definition"])
        asked = [(phases.find_phase(definition, one), cohort_row["phases"][one].get("addressed", ())) for one in late]
        count = 0
        query = {"cohort": cohort_row["_id"], "state": states.ACTIVE}
        async for row in self._participants.find(query, views.STANDING):
            count += any(closing.was_in(row, p.id, addressed) and closing.lacking(p, row) for p, addressed in asked)
        return count


def _is_late(phase: Row, now: datetime) -> bool:
    return bool(phase["state"] == cohort_pb2.PHASE_STATE_OPEN and phase["deadline_time"] < now)


def _is_stuck(cohort_row: Row, phase: Row, now: datetime) -> bool:
    """Its workflow should have opened it, or closed or held it, and has not: nobody works on it."""
    if cohort_row["state"] != cohort_pb2.COHORT_STATE_RUNNING:
        return False
    return _is_late(phase, now - _MOMENT) and not phase.get("held_time")


def _word(rehearsal: bool) -> str:
    return "true" if rehearsal else "false"
