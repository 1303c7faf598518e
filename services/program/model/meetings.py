"""The sessions of a cohort with the times that hold now: as defined, moved with their phase, or as coaching's calendar
last said. Whoever tells a person when a session is takes the time from here. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock


@dataclass(frozen=True)
class Meeting:
    """A session; times by the wall clock. `days` are those that its phase had moved by when it was given them."""

    session: str
    phase: str
    title: str
    place: str
    start: datetime
    end: datetime
    time_zone: str
    days: int = 0
    cancelled: bool = False
    # Why it was moved by itself, or cancelled.
    reason: str = ""
    # Of coaching's record: what is older and arrives later changes nothing.
    version: int = 0


def planned(
    cohort_clock: pb.Clock, phase: definition_pb2.Phase, session: definition_pb2.DefinedSession, days: int = 0
) -> Meeting:
    """As the definition has it, so many days later."""
    start, end = (
        clock.wall_time(cohort_clock, clock.local(text, session.time_zone)) for text in (session.start, session.end)
    )
    made = Meeting(session.id, phase.id, session.title, session.place, start, end, session.time_zone)
    return shifted(cohort_clock, made, days)


def shifted(cohort_clock: pb.Clock, meeting: Meeting, days: int) -> Meeting:
    """The same where its phase has moved by so many days in all; one that was called off stays where it was."""
    if meeting.cancelled:
        return meeting
    more = days - meeting.days
    start, end = clock.later_session(cohort_clock, meeting.start, meeting.end, more, meeting.time_zone)
    return replace(meeting, start=start, end=end, days=days)


def standing(
    cohort_clock: pb.Clock, phase: definition_pb2.Phase, days: Mapping[str, int], told: Iterable[Meeting]
) -> list[Meeting]:
    """The sessions of a phase in the order of time, also those that were added to it or called off. `days` are those
    that each has moved by with its phase; `told` what the calendar said of any last."""
    known = {meeting.session: meeting for meeting in told if meeting.phase == phase.id}
    found = list(_standing(cohort_clock, phase, days, known))
    return sorted(found, key=lambda meeting: (meeting.start, meeting.session))


def _standing(
    cohort_clock: pb.Clock, phase: definition_pb2.Phase, days: Mapping[str, int], known: dict[str, Meeting]
) -> Iterator[Meeting]:
    for session in phase.sessions:
        moved = days.get(session.id, 0)
        if session.id in known:
            yield shifted(cohort_clock, known.pop(session.id), moved)
        else:
            yield planned(cohort_clock, phase, session, moved)
    yield from known.values()
