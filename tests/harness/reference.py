"""What a cohort comes to, told once more as simply as can be: the measure for the real one. Days are numbers."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor


@dataclass
class RefPhase:
    """As it is defined, and as it stands."""

    name: str
    opens: Fraction
    closes: Fraction
    required: frozenset[str]
    after: list[str]
    done: str = ""
    missed: str = ""
    quorum: int = 100
    quorum_of: frozenset[str] = frozenset()
    on_miss: str = "GO_ON"
    decision: bool = False
    extend: int = 2
    state: str = "PENDING"
    extended: bool = False
    held: bool = False
    # Whom it is for; None is everybody.
    members: set[str] | None = None

    @property
    def is_over(self) -> bool:
        return self.state in {"CLOSED", "SKIPPED"}


@dataclass
class Reference:
    """People have duties and are active, graduated, withdrawn or failed."""

    phases: list[RefPhase]
    people: dict[str, str]
    now: Fraction = Fraction(0)
    paused: Fraction | None = None
    over: bool = False
    duties: dict[str, set[str]] = field(default_factory=dict)
    failed_at: dict[str, str] = field(default_factory=dict)

    def active(self) -> set[str]:
        return {who for who, state in self.people.items() if state == "active"}

    def find(self, name: str) -> RefPhase:
        return next(phase for phase in self.phases if phase.name == name)

    def did(self, who: str) -> set[str]:
        return self.duties.setdefault(who, set())

    def wait(self, until: Fraction) -> None:
        """Hour by hour; what falls due between two hours is left to the caller not to ask for."""
        while self.now < until and not self.over:
            self.now += Fraction(1, 24)
            self.settle()
        self.now = until

    def settle(self) -> None:
        while not self.over and (self._close_one() or self._open_one() or self._end()):
            pass

    def _end(self) -> bool:
        nobody_comes = not self.active() and not any(phase.state == "OPEN" for phase in self.phases)
        if nobody_comes or all(phase.is_over for phase in self.phases):
            self._finish("graduated")
        return self.over

    def _finish(self, outcome: str) -> None:
        self.over = True
        for who in self.active():
            self.people[who] = outcome
        for phase in self.phases:
            if phase.state == "OPEN":
                phase.state = "CLOSED"

    def _of(self, phase: RefPhase) -> set[str]:
        return self.active() if phase.members is None else self.active() & phase.members

    def _close_one(self) -> bool:
        if self.paused is not None and self.active():
            return False
        return any(phase.state == "OPEN" and self._gate(phase) for phase in self.phases)

    def _gate(self, phase: RefPhase) -> bool:
        """Whether something became of it."""
        here = self._of(phase)
        if not here:
            return self.close(phase)
        everybody = bool(phase.required) and all(phase.required <= self.did(who) for who in here)
        due = self.now >= phase.closes
        if phase.decision:
            if (everybody or due) and not phase.held:
                phase.held = True
            return False
        if everybody:
            return self.close(phase)
        if not due:
            return False
        counted = phase.quorum_of or phase.required
        enough = sum(counted <= self.did(who) for who in here) * 100 >= phase.quorum * len(here)
        if not counted or enough or phase.on_miss == "GO_ON" or (phase.on_miss == "EXTEND" and phase.extended):
            return self.close(phase)
        if phase.on_miss == "EXTEND":
            phase.extended = True
            phase.closes += phase.extend
            return True
        if phase.on_miss == "STOP":
            return self.close(phase, stop=True)
        phase.held = True
        return False

    def close(self, phase: RefPhase, *, stop: bool = False, excuse: bool = False) -> bool:
        for who in self._of(phase):
            if not excuse and phase.required - self.did(who):
                self.people[who] = "failed"
                self.failed_at[who] = phase.name
        phase.state = "CLOSED"
        if stop:
            self._finish("failed")
        return True

    def _open_one(self) -> bool:
        if self.paused is not None or not self.active():
            return False
        for phase in self.phases:
            if phase.state == "PENDING" and phase.opens <= self.now and self._is_ready(phase):
                if phase.done or phase.missed:
                    phase.members = {who for who in self.active() if self._holds(phase, who)}
                if phase.members is not None and not phase.members:
                    phase.state = "SKIPPED"
                else:
                    phase.closes += max(0, floor(self.now) - floor(phase.opens))
                    phase.opens = self.now
                    phase.state = "OPEN"
                return True
        return False

    def _is_ready(self, phase: RefPhase) -> bool:
        place = self.phases.index(phase)
        before = phase.after or ([self.phases[place - 1].name] if place else [])
        return all(self.find(name).is_over for name in before if name != "start")

    def _holds(self, phase: RefPhase, who: str) -> bool:
        did = self.did(who)
        return not (phase.done and phase.done not in did) and not (phase.missed and phase.missed in did)

    def pause(self) -> str:
        if self.paused is not None:
            return "ALREADY_PAUSED"
        self.paused = self.now
        return ""

    def resume(self) -> str:
        if self.paused is None:
            return "NOT_PAUSED"
        days, self.paused = floor(self.now) - floor(self.paused), None
        for phase in self.phases if days else ():
            if phase.state == "PENDING":
                phase.opens = Fraction(floor(phase.opens) + days)
            if not phase.is_over and not phase.held:
                phase.closes += days
        return ""

    def override(self, name: str, action: str) -> str:
        phase = self.find(name)
        if phase.state != "OPEN":
            return "PHASE_NOT_OPEN"
        if self.paused is not None:
            return "COHORT_PAUSED"
        self.close(phase, stop=action == "STOP", excuse=action == "EXCUSE")
        return ""

    def reschedule(self, name: str, open_days: int, deadline_days: int) -> str:
        phase = self.find(name)
        if phase.is_over:
            return "PHASE_CLOSED"
        if phase.state == "OPEN" and open_days:
            return "PHASE_OPEN"
        if not open_days and not deadline_days:
            return "NOTHING_MOVES"
        since = self.now if self.paused is None else self.paused
        moved = Fraction(floor(phase.opens) + open_days) if open_days else phase.opens
        opens = max(moved, min(since, phase.opens))
        if phase.closes + deadline_days <= max(since, opens):
            return "CLOSES_TOO_EARLY"
        if phase.state == "PENDING":
            phase.opens = opens
        phase.closes += deadline_days
        phase.held = False
        return ""

    def reopen(self, name: str, days: int, back: list[str]) -> str:
        phase = self.find(name)
        if phase.state != "CLOSED":
            return "PHASE_NOT_CLOSED"
        phase.state, phase.held = "OPEN", False
        phase.closes = Fraction(ceil(self.now if self.paused is None else self.paused) + days)
        for who in back:
            self.people[who] = "active"
        return ""

    def readmit(self, who: str) -> str:
        if self.people[who] == "active":
            return "PARTICIPANT_ACTIVE"
        if self.people[who] == "graduated":
            return "PARTICIPANT_ENDED"
        self.people[who] = "active"
        return ""

    def enrol(self, who: str) -> str:
        if who in self.people:
            return "PARTICIPANT_EXISTS"
        self.people[who] = "active"
        return ""
