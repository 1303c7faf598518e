"""A cohort carried out without a server: its agenda is followed by hand, and its participants are played."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import Refused
from programs import clock, phases
from services.program.model import errands, phase_steps
from services.program.model import states as model
from services.program.model.agenda import Act, Cohort, Step
from services.program.model.orders import carried_out

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Person:
    """A participant: the phases it was told of, and how it ended."""

    duties: set[str] = field(default_factory=set)
    told: dict[str, definition_pb2.Phase] = field(default_factory=dict)
    outcome: int = model.ACTIVE
    why: str = ""
    heard: list[str] = field(default_factory=list)


def phase(name: str, opens: int, closes: int, **fields: Any) -> definition_pb2.Phase:
    """From one day of the program to another, in UTC; its one duty bears its name."""
    first, last = ((START + days * DAY).date().isoformat() for days in (opens, closes))
    fields.setdefault("gate", definition_pb2.Gate(quorum_percent=100, on_miss=definition_pb2.ON_MISS_GO_ON))
    fields.setdefault("duties", [definition_pb2.Duty(id=f"{name}-done", required=True)])
    return definition_pb2.Phase(id=name, opens=first, closes=last, **fields)


class Course:
    """One cohort, at a time of its own."""

    def __init__(self, phases: Iterable[definition_pb2.Phase], institutions: Iterable[str], zone: str = "UTC") -> None:
        definition = definition_pb2.Definition(id="d", time_zone=zone, phases=phases)
        self.people = {institution: Person() for institution in institutions}
        self.now = START
        spec = definition_pb2.CohortSpec(id="c")
        clock_ = clock.cohort_clock(definition, spec, START)
        state = pb.ProgramState(phases=clock.timetable(definition, clock_))
        self.cohort = Cohort(definition, clock_, len(self.people), state)
        self.over = False
        self.requests = 0
        self.told: list[pb.Announcement] = []
        self.settle()

    @property
    def state(self) -> pb.ProgramState:
        return self.cohort.state

    def record(self, name: str) -> pb.PhaseRecord:
        return self.state.phases[self.cohort.place(name)]

    def states(self) -> dict[str, str]:
        """Of the phases, in words."""
        return {r.phase: cohort_pb2.PhaseState.Name(r.state).removeprefix("PHASE_STATE_") for r in self.state.phases}

    def active(self) -> list[str]:
        return [code for code, person in self.people.items() if person.outcome == model.ACTIVE]

    def command(self, request_id: str = "", actor: str = "m1", **order: Any) -> command_pb2.Command:
        self.requests += 1
        name = request_id or f"r{self.requests}"
        return command_pb2.Command(request_id=name, actor=actor, reason="an election", **order)

    def order(self, request_id: str = "", actor: str = "m1", **order: Any) -> pb.CommandStep:
        """Carried out as the workflow does it, with what follows from it."""
        step = self.give(self.command(request_id, actor, **order))
        self.settle()
        return step

    def give(self, command: command_pb2.Command) -> pb.CommandStep:
        """Carried out, with nothing that follows yet. Refused changes nothing."""
        before = self.state.SerializeToString(deterministic=True)
        try:
            carried_out.require_steerable(self.state, command, over=self.over, ending=self.over)
            return carried_out.carry_out(self.cohort, command, self.now)
        except Refused:
            assert self.state.SerializeToString(deterministic=True) == before
            raise

    def refusal(self, **order: Any) -> str:
        """Why an order is refused; empty where it is not."""
        try:
            self.order(**order)
        except Refused as refused:
            return refused.reason
        return ""

    def fact(self, institution: str, *duties: str) -> None:
        """Somebody has done something."""
        self.people[institution].duties.update(duties)
        self._report(institution)
        self.settle()

    def withdraw(self, institution: str) -> None:
        """Somebody leaves."""
        self._end(institution, model.WITHDRAWN, "withdrawn")
        self.settle()

    def wait(self, length: timedelta) -> None:
        """Time passes, and what falls due is done at its time."""
        until = self.now + length
        self.settle()
        while not self.over and (wake := self.cohort.next_time()) is not None and wake <= until:
            assert wake > self.now, "it would wake up for something that cannot be done"
            self.now = wake
            self.settle()
        self.now = until

    def settle(self) -> None:
        """Does what there is to do now."""
        for _ in range(500):
            if self.over or (step := self.cohort.next_step(self.now)) is None:
                return
            self._take(step)
        raise AssertionError("the agenda never comes to rest")

    def _take(self, step: Step) -> None:
        record = self.state.phases[step.phase]
        if step.act is Act.ERRAND:
            self._errand(self.state.errands[0])
            del self.state.errands[0]
        elif step.act is Act.END:
            self.over = True
            for place in self.cohort.open_places():
                phase_steps.begin_closing(self.cohort, place, self.now, stopped=False)
                phase_steps.settle(self.cohort, place)
            self._tell(phase_steps.last_closing(self.cohort))
        elif step.act is Act.OPEN:
            definition = self.cohort.definition.phases[step.phase]
            chosen = [c for c in self.active() if holds(definition, self.people[c].duties)]
            phase_steps.begin(self.cohort, step.phase, self.now, pb.Addressed(institutions=chosen))
        elif step.act is Act.ANNOUNCE:
            record.announced = True
            self._tell(pb.Announcement(opening=errands.opening_of(self.cohort, step.phase), only=record.addressed))
        elif step.act is Act.EXTEND:
            phase_steps.extend(self.cohort, step.phase)
        elif step.act is Act.HOLD:
            record.held_time.CopyFrom(clock.stamp(self.now))
        elif step.act is Act.SETTLE:
            phase_steps.settle(self.cohort, step.phase)
        else:
            phase_steps.begin_closing(self.cohort, step.phase, self.now, stopped=step.act is Act.STOP)
            self._tell(phase_steps.closing(self.cohort, step.phase))

    def _errand(self, errand: pb.Errand) -> None:
        if errand.HasField("announcement"):
            self._tell(errand.announcement)
        for code in errand.starting.only:
            known = self.people.get(code, Person())
            self.people[code] = Person(duties=known.duties)

    def _tell(self, announcement: pb.Announcement) -> None:
        kept = pb.Announcement()
        kept.CopyFrom(announcement)
        self.told.append(kept)
        for code in list(announcement.only) or list(self.people):
            if self.people[code].outcome == model.ACTIVE:
                self._hear(code, announcement)

    def _hear(self, code: str, news: pb.Announcement) -> None:
        person = self.people[code]
        person.heard.append(news.WhichOneof("news") or "")
        if news.HasField("opening"):
            person.told[news.opening.phase.id] = news.opening.phase
            self._report(code)
        elif news.HasField("withdrawal"):
            self._end(code, model.WITHDRAWN, "withdrawn")
        elif news.HasField("closing"):
            closing = news.closing
            known = person.told.pop(closing.phase, None)
            missed = set(closing.required) - person.duties
            if missed:
                assert known, f"{code} fails for {closing.phase}, which it was never told of"
                self._end(code, model.FAILED, closing.phase)
            elif closing.stopped:
                self._end(code, model.FAILED, "stopped")
            elif closing.last:
                self._end(code, model.GRADUATED, "")

    def _report(self, code: str) -> None:
        person = self.people[code]
        if person.outcome != model.ACTIVE:
            return
        for name, told in person.told.items():
            record, needs = self.record(name), set(phases.required(told))
            lists = [record.done, record.quorum] if needs and needs <= person.duties else []
            if told.gate.quorum_of and set(told.gate.quorum_of) <= person.duties:
                lists.append(record.quorum)
            for heard in lists:
                if code not in heard:
                    heard.append(code)

    def _end(self, code: str, outcome: cohort_pb2.ParticipantState.ValueType, why: str) -> None:
        self.people[code].outcome, self.people[code].why = outcome, why
        self.state.ended[code] = outcome


def holds(defined: definition_pb2.Phase, duties: set[str]) -> bool:
    """The condition of a phase, by duties alone."""
    when = defined.when
    return not (when.done and when.done not in duties) and not (when.missed and when.missed in duties)


def gate(on_miss: str, **fields: Any) -> definition_pb2.Gate:
    """Everybody counts, unless it says otherwise."""
    fields.setdefault("quorum_percent", 100)
    return definition_pb2.Gate(on_miss=definition_pb2.OnMiss.Value(f"ON_MISS_{on_miss}"), **fields)


def deadlines(course: Course) -> Iterator[datetime]:
    """Of the phases, in order."""
    return (clock.moment(record.deadline_time) for record in course.state.phases)
