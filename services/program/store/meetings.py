"""What coaching's calendar said last of each session of a cohort."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis import mongo
from programs import clock, phases
from services.program.model import meetings
from services.program.model.course import Course
from services.program.model.meetings import Meeting
from services.program.store.documents import Row
from services.program.store.rows import CohortRows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def standing(row: Row, cohort_clock: pb.Clock, phase: definition_pb2.Phase) -> list[Meeting]:
    """The sessions of a phase as they stand, by a cohort's document."""
    kept = row["phases"].get(phase.id, {})
    whole, each = kept.get("sessions_moved", 0), kept.get("session_moves", {})
    days = {session.id: whole + each.get(session.id, 0) for session in phase.sessions}
    return meetings.standing(cohort_clock, phase, days, [_meeting(told) for told in row.get("sessions", ())])


class MeetingStore:
    """Documents in, messages out."""

    def __init__(self, db: mongo.Database) -> None:
        self._cohorts = db["cohorts"]
        self._rows = CohortRows(db)

    async def hear(self, tx: mongo.Tx, event: coaching.SessionScheduled | coaching.SessionCancelled) -> None:
        """What the calendar says of a session from now on; older news change nothing."""
        cohort = event.meta.cohort_id
        row = await self._cohorts.find_one({"_id": cohort}, {"sessions": 1, "definition": 1}, session=tx.session)
        if row is None:
            return
        name = session_name(event)
        kept = {told["session"]: told for told in row.get("sessions", ())}
        known = kept.get(name)
        if known and known["version"] >= event.meta.version:
            return
        if isinstance(event, coaching.SessionScheduled):
            kept[name] = _row(event, name)
        elif known:
            kept[name] = {**known, "cancelled": True, "reason": event.reason, "version": event.meta.version}
        else:
            return
        await self._rows.change(tx, cohort, {"sessions": list(kept.values())})

    async def told(self, cohort_id: str) -> list[Meeting]:
        """What the calendar said of each session last."""
        row = await self._cohorts.find_one({"_id": cohort_id}, {"sessions": 1}) or {}
        return [_meeting(one) for one in row.get("sessions", ())]

    async def of_phase(self, course: Course, phase: definition_pb2.Phase) -> list[Meeting]:
        """The sessions of a phase as they stand."""
        known = {"phases": 1, "sessions": 1}
        row = await self._cohorts.find_one({"_id": course.cohort_id}, known)
        return standing(row, course.clock, phase) if row else []

    async def to_schedule(self, course: Course, step: pb.SessionStep) -> Meeting:
        """Where a session of the definition belongs once it has moved by the days of the step: from where it stands,
        so that what a manager moved by itself stays so."""
        phase = phases.find_phase(course.definition, step.phase)
        told = await self.told(course.cohort_id)
        found = meetings.standing(course.clock, phase, {step.session: step.moved_days}, told)
        return next(meeting for meeting in found if meeting.session == step.session)

    async def deadline(self, cohort_id: str, phase: str) -> datetime | None:
        """When a phase closes, as it stands; in milliseconds."""
        row = await self._cohorts.find_one({"_id": cohort_id}, {f"phases.{phase}.deadline_time": 1})
        found: datetime | None = row["phases"][phase]["deadline_time"] if row and row.get("phases") else None
        return found


def session_name(event: Any) -> str:
    """The session as its program calls it: the calendar's id without the cohort."""
    return str(event.session_id).removeprefix(f"{event.meta.cohort_id}:")


def _row(event: coaching.SessionScheduled, name: str) -> Row:
    # To the microsecond: in a rehearsal it is half a minute of the program.
    start, end = ((clock.moment(at) - _EPOCH) // _MICROSECOND for at in (event.start_time, event.end_time))
    return {
        "session": name,
        "phase": event.phase,
        "title": event.title,
        "place": event.place,
        "start": start,
        "end": end,
        "time_zone": event.time_zone,
        "days": event.shifted_days,
        "cancelled": False,
        "reason": event.reason,
        "version": event.meta.version,
    }


def _meeting(row: Mapping[str, Any]) -> Meeting:
    known = {name: row[name] for name in Meeting.__dataclass_fields__ if name in row}
    times = {name: _EPOCH + row[name] * _MICROSECOND for name in ("start", "end")}
    return Meeting(**{**known, **times})
