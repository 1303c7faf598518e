"""What an order would bring about: days that move, people who are written to, what a manager should know. Pure: it is
tried on a copy of the cohort's state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from services.program.model import meetings, phase_steps
from services.program.model.agenda import OVER, Cohort
from services.program.model.meetings import Meeting

Move: TypeAlias = cohort_pb2.OrderPreview.Move
LetterCount: TypeAlias = cohort_pb2.OrderPreview.LetterCount
Roster = Mapping[str, Sequence[definition_pb2.Person]]

_OPENING, _DEADLINE, _SESSION = (
    cohort_pb2.MOVE_KIND_OPENING,
    cohort_pb2.MOVE_KIND_DEADLINE,
    cohort_pb2.MOVE_KIND_SESSION,
)


@dataclass(frozen=True)
class Trial:
    """A cohort before an order and after it; its sessions as the calendar told of them last; the people of everybody
    who is in it then, and of whom the order takes in."""

    before: Cohort
    after: Cohort
    command: command_pb2.Command
    told: Sequence[Meeting]
    roster: Roster
    # Participants that the order takes an excuse back from.
    excused: int = 0


def preview(trial: Trial) -> cohort_pb2.OrderPreview:
    """All of it."""
    return cohort_pb2.OrderPreview(moves=_moves(trial), letters=_letters(trial), notes=_notes(trial))


def _moves(trial: Trial) -> Iterator[Move]:
    zone = trial.after.definition.time_zone
    for place, record in enumerate(trial.after.state.phases):
        was = trial.before.state.phases[place]
        if record.state in OVER:
            continue
        for kind, field in ((_OPENING, "open_time"), (_DEADLINE, "deadline_time")):
            old, new = getattr(was, field), getattr(record, field)
            if old != new:
                yield Move(phase=record.phase, kind=kind, before_time=old, after_time=new, time_zone=zone)
        for old_one, new_one in zip(
            _sessions(trial, trial.before, place), _sessions(trial, trial.after, place), strict=True
        ):
            if old_one.start != new_one.start:
                yield Move(
                    phase=record.phase,
                    session=new_one.session,
                    kind=_SESSION,
                    before_time=clock.stamp(old_one.start),
                    after_time=clock.stamp(new_one.start),
                    time_zone=new_one.time_zone,
                )


def _sessions(trial: Trial, cohort: Cohort, place: int) -> list[Meeting]:
    """In the order of the definition, so that before and after stand side by side."""
    record, phase = cohort.state.phases[place], cohort.definition.phases[place]
    days = {session.id: phase_steps.session_days(record, session.id) for session in phase.sessions}
    found = meetings.standing(cohort.clock, phase, days, trial.told)
    return sorted(found, key=lambda meeting: meeting.session)


def _letters(trial: Trial) -> Iterator[LetterCount]:
    """One line a template and phase, in the order in which they are written; a participant with nobody to write to is
    not counted."""
    counted: dict[tuple[str, str], tuple[set[str], int]] = {}
    for template, phase, institution, people in _written(trial):
        codes, number = counted.setdefault((template, phase), (set(), 0))
        if people and institution not in codes:
            codes.add(institution)
            counted[template, phase] = (codes, number + people)
    for (template, phase), (codes, number) in counted.items():
        if number:
            yield LetterCount(template=template, phase=phase, participants=len(codes), people=number)


_Written = Iterator[tuple[str, str, str, int]]


def _written(trial: Trial) -> _Written:
    known = len(trial.before.state.errands)
    for errand in trial.after.state.errands[known:]:
        if errand.HasField("announcement"):
            yield from _announced(trial, errand.announcement)
    if trial.command.HasField("reopen"):
        place = trial.after.place(trial.command.reopen.phase)
        phase = trial.after.definition.phases[place]
        for code in trial.after.state.phases[place].addressed or trial.roster:
            yield "invitation", phase.id, code, _count(trial, code, phase.invites)
    for code in trial.command.split.institutions:
        # They are invited to what is open, by the name of the cohort in which they go on.
        for phase in _open(trial, code):
            yield "invitation", phase.id, code, _count(trial, code, phase.invites)
    if trial.command.HasField("withdraw"):
        code = trial.command.withdraw.institution
        yield "withdrawal", "", code, len(trial.roster.get(code, ()))
    if trial.command.HasField("cancel"):
        for code, people in trial.roster.items():
            yield "cancellation", "", code, len(people)


def _announced(trial: Trial, news: pb.Announcement) -> _Written:
    for code in news.only or list(trial.roster):
        if news.HasField("opening"):
            phase = news.opening.phase
            template = "postponed" if news.opening.reason else "" if news.opening.shifted else "invitation"
            if template:
                yield template, phase.id, code, _count(trial, code, phase.invites)
        elif news.HasField("notice"):
            yield from _noticed(trial, news.notice, code)
        elif news.HasField("pause") or (news.HasField("resumption") and news.resumption.occasion):
            template = "paused" if news.HasField("pause") else "resumed"
            for phase in _open(trial, code):
                yield template, phase.id, code, _count(trial, code, phase.invites)


def _noticed(trial: Trial, notice: pb.Notice, code: str) -> _Written:
    about = [phase for phase in _open(trial, code) if notice.phase in {"", phase.id}][:1]
    if notice.email:
        yield notice.template, notice.phase, code, 1
    elif about:
        yield notice.template, about[0].id, code, _count(trial, code, notice.roles or about[0].invites)
    elif not notice.phase:
        yield notice.template, "", code, len(trial.roster.get(code, ()))


def _open(trial: Trial, code: str) -> list[definition_pb2.Phase]:
    """The phases that are open for a participant."""
    found = []
    for place in trial.after.open_places():
        record, phase = trial.after.state.phases[place], trial.after.definition.phases[place]
        if not record.addressed or code in record.addressed:
            found.append(phase)
    return found


def _count(trial: Trial, code: str, roles: Iterable[int]) -> int:
    wanted = set(roles)
    return sum(1 for person in trial.roster.get(code, ()) if not wanted or person.role in wanted)


def _notes(trial: Trial) -> Iterator[str]:
    order = trial.command.WhichOneof("order") or ""
    if order == "resume" and not any(True for _ in _moves(trial)):
        yield "the pause lies within one day: no day moves"
    if order == "pause":
        yield "nothing opens, closes or is due until it is resumed; the days that it takes come on top then"
    if order == "reopen":
        yield from _reopened(trial)
    for place, record in enumerate(trial.after.state.phases):
        if record != trial.before.state.phases[place]:
            yield from _outside(trial, place)


def _reopened(trial: Trial) -> Iterator[str]:
    phase = trial.command.reopen.phase
    if trial.excused:
        who = "one participant" if trial.excused == 1 else f"{trial.excused} participants"
        yield f"{phase}: {who} excused of a duty at its closing would owe it again"
    back = len(trial.command.reopen.institutions)
    if back:
        yield f"{phase}: {back} that failed at it would be in the cohort again"


def _outside(trial: Trial, place: int) -> Iterator[str]:
    """Sessions that lie outside of their phase."""
    record = trial.after.state.phases[place]
    if record.state in OVER:
        return
    opens, closes = clock.moment(record.open_time), clock.moment(record.deadline_time)
    for meeting in _sessions(trial, trial.after, place):
        if meeting.cancelled:
            continue
        if meeting.start >= closes:
            yield f"{record.phase}: session {meeting.session} lies after the deadline"
        elif meeting.start < opens and record.state == cohort_pb2.PHASE_STATE_PENDING:
            yield f"{record.phase}: session {meeting.session} lies before the opening"
