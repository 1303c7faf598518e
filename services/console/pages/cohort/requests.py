"""What the form of each order over a cohort asks for, as the program takes it."""

from collections.abc import Callable, Mapping
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import service_pb2 as program_pb
from livinglab.program.v1 import steering_service_pb2 as pb

from chassis.errors import Violation
from services.console.model import words
from services.console.session.neighbours import Neighbours

_RUNNING, _PAUSED = cohort_pb2.COHORT_STATE_RUNNING, cohort_pb2.COHORT_STATE_PAUSED
_PENDING, _OPEN = cohort_pb2.PHASE_STATE_PENDING, cohort_pb2.PHASE_STATE_OPEN
_CLOSED = cohort_pb2.PHASE_STATE_CLOSED
_MOST_DAYS = 365
# Of a region's people, by the names of their roles.
SEATS: Mapping[str, options_pb2.Role.ValueType] = {
    "operator": options_pb2.ROLE_OPERATOR,
    "head": options_pb2.ROLE_HEAD,
    "secretary": options_pb2.ROLE_SECRETARY,
    "regent": options_pb2.ROLE_REGENT,
}
# The states that a phase is in for an order about one.
_PHASES: Mapping[str, tuple[int, ...]] = {
    "extend": (_OPEN, _PENDING),
    "move": (_PENDING,),
    "override": (_OPEN,),
    "reopen": (_CLOSED,),
}
# Orders of a cohort that goes on, and the fields of each beside the reason.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "extend": ("phase", "days"),
    "move": ("phase", "days"),
    "override": ("phase", "action"),
    "reopen": ("phase", "days", "readmit"),
    "pause": (),
    "resume": (),
    "enrol": ("institution", "people", "language"),
    "replace": ("institution", "seat", "name", "email", "leaving", "language"),
    "readmit": ("institution",),
    "split": ("new_id", "title", "institutions"),
    "resolve": ("institution", "retry"),
    "withdraw": ("institution",),
    "cancel": (),
}


def possible(cohort: Any) -> list[str]:
    """The orders that make sense for a cohort as it stands."""
    if cohort.state not in (_RUNNING, _PAUSED):
        return []
    paused = cohort.state == _PAUSED
    fitting = {
        "pause": not paused,
        "override": not paused,
        "resume": paused,
        "readmit": bool(cohort.failed or cohort.withdrawn),
        "split": cohort.active > 1,
        "resolve": bool(cohort.problems or cohort.troubled_count),
    }
    return [
        order for order in FIELDS if fitting.get(order, True) and (order not in _PHASES or phases_for(order, cohort))
    ]


def phases_for(order: str, cohort: Any) -> list[Any]:
    """The phases that an order can be about; none for one that is not about a phase."""
    return [phase for phase in cohort.phases if phase.state in _PHASES.get(order, ())]


class Reading:
    """A form as it is read: what it says, and every fault of it."""

    def __init__(self, order: str, cohort: Any, form: Mapping[str, str], language: str) -> None:
        self._order, self._cohort, self._form, self._language = order, cohort, form, language
        self.faults: list[Violation] = []

    def said(self, name: str, hint: str) -> str:
        """A field that has to be filled in; the text `hint` says with what."""
        found = self._form.get(name, "").strip()
        if not found:
            self._fault(name, hint)
        return found

    def days(self, *, back: bool) -> int:
        """Whole days, at most a year; back too where an order moves something."""
        text = self._form.get("days", "").strip()
        number = text.removeprefix("-") if back else text
        found = int(text) if number.isascii() and number.isdecimal() and len(number) <= len(str(_MOST_DAYS)) else 0
        if not found or abs(found) > _MOST_DAYS:
            self.faults.append(Violation("days", f"1-{_MOST_DAYS}"))
        return found

    def phase(self) -> str:
        """One that the order can be about."""
        found = self._form.get("phase", "")
        if found not in {phase.phase for phase in phases_for(self._order, self._cohort)}:
            self._fault("phase", "choose_phase")
        return found

    def one_of(self, name: str, among: Mapping[str, Any], hint: str) -> Any:
        """What a choice stands for."""
        if self._form.get(name) not in among:
            self._fault(name, hint)
        return among.get(self._form.get(name, ""))

    def people(self) -> list[definition_pb2.Person]:
        """Whoever is named, a seat each."""
        found = []
        for name, role in SEATS.items():
            person = [self._form.get(f"{field}.{name}", "").strip() for field in ("name", "email")]
            if any(person):
                found.append(
                    definition_pb2.Person(role=role, name=person[0], email=person[1], language=self.language())
                )
        if not found:
            self._fault("people", "choose_people_of_it")
        return found

    def language(self) -> str:
        """Of the letters to people whom the form names."""
        return "en" if self._form.get("language") == "en" else "id"

    def codes(self) -> list[str]:
        """Codes of institutions, however they are set apart."""
        found = self._form.get("institutions", "").replace(",", " ").replace(";", " ").split()
        if not found:
            self._fault("institutions", "choose_codes")
        return found

    def given(self, name: str) -> str:
        """A field that may be empty."""
        return self._form.get(name, "").strip()

    def ticked(self, name: str) -> bool:
        """Whether a box is."""
        return name in self._form

    def _fault(self, field: str, hint: str) -> None:
        self.faults.append(Violation(field, words.text(hint, self._language)))


def request_of(order: str, read: Reading, common: Mapping[str, Any]) -> Any:
    """The request of that order; with faults of the form it is worth nothing."""
    return _MADE[order](read, common)


def method_of(order: str, neighbours: Neighbours) -> Any:
    """Who takes it."""
    steering, program = neighbours.steering, neighbours.program
    methods = {
        "extend": steering.ReschedulePhase,
        "move": steering.ReschedulePhase,
        "override": steering.OverrideGate,
        "reopen": steering.ReopenPhase,
        "pause": steering.PauseCohort,
        "resume": steering.ResumeCohort,
        "enrol": steering.EnrolParticipant,
        "replace": steering.ReplacePerson,
        "readmit": steering.ReadmitParticipant,
        "split": steering.SplitCohort,
        "resolve": steering.ResolveProblems,
        "withdraw": program.WithdrawParticipant,
        "cancel": program.CancelCohort,
    }
    return methods[order]


def _moved(read: Reading, common: Mapping[str, Any], *, whole: bool) -> Any:
    days = read.days(back=True)
    return pb.ReschedulePhaseRequest(phase=read.phase(), open_days=days if whole else 0, deadline_days=days, **common)


def _overridden(read: Reading, common: Mapping[str, Any]) -> Any:
    actions = {
        "1": cohort_pb2.GATE_ACTION_CLOSE,
        "2": cohort_pb2.GATE_ACTION_EXCUSE,
        "3": cohort_pb2.GATE_ACTION_STOP,
    }
    return pb.OverrideGateRequest(phase=read.phase(), action=read.one_of("action", actions, "choose_order"), **common)


def _enrolled(read: Reading, common: Mapping[str, Any]) -> Any:
    institution = read.said("institution", "choose_institution")
    participant = definition_pb2.Participant(institution=institution, people=read.people())
    return pb.EnrolParticipantRequest(participant=participant, **common)


def _replaced(read: Reading, common: Mapping[str, Any]) -> Any:
    person = definition_pb2.Person(
        role=read.one_of("seat", SEATS, "choose_seat"),
        name=read.said("name", "new_name"),
        email=read.said("email", "new_email"),
        language=read.language(),
    )
    return pb.ReplacePersonRequest(
        institution=read.said("institution", "choose_institution"), person=person, email=read.given("leaving"), **common
    )


def _split(read: Reading, common: Mapping[str, Any]) -> Any:
    return pb.SplitCohortRequest(
        new_cohort_id=read.said("new_id", "new_cohort_id"),
        title=read.said("title", "new_cohort_title"),
        institutions=read.codes(),
        **common,
    )


def _resolved(read: Reading, common: Mapping[str, Any]) -> Any:
    retry = read.one_of("retry", {"1": True, "0": False}, "choose_order")
    return pb.ResolveProblemsRequest(institution=read.given("institution"), retry=retry, **common)


_MADE: Mapping[str, Callable[[Reading, Mapping[str, Any]], Any]] = {
    "extend": lambda read, common: _moved(read, common, whole=False),
    "move": lambda read, common: _moved(read, common, whole=True),
    "override": _overridden,
    "reopen": lambda read, common: pb.ReopenPhaseRequest(
        phase=read.phase(), days=max(read.days(back=False), 0), readmit=read.ticked("readmit"), **common
    ),
    "pause": lambda _, common: pb.PauseCohortRequest(**common),
    "resume": lambda _, common: pb.ResumeCohortRequest(**common),
    "enrol": _enrolled,
    "replace": _replaced,
    "readmit": lambda read, common: pb.ReadmitParticipantRequest(
        institution=read.said("institution", "choose_institution"), **common
    ),
    "split": _split,
    "resolve": _resolved,
    "withdraw": lambda read, common: program_pb.WithdrawParticipantRequest(
        institution=read.said("institution", "choose_institution"), **common
    ),
    "cancel": lambda _, common: program_pb.CancelCohortRequest(**common),
}
