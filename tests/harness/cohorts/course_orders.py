"""A course of two phases and three participants, and every order to it."""

from datetime import timedelta
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2

from tests.harness.cohorts.agenda import Course, phase

HOUR = timedelta(hours=1)
ONE, TWO, THREE = "11.01", "11.02", "11.03"
PAUSE: dict[str, Any] = {"pause": command_pb2.PauseOrder()}
RESUME: dict[str, Any] = {"resume": command_pb2.ResumeOrder()}
HEAD = options_pb2.ROLE_HEAD


def course(*phases: definition_pb2.Phase) -> Course:
    """Ten days of a meeting, then ten of a workshop, unless it says otherwise."""
    return Course(phases or (phase("meeting", 0, 9), phase("workshop", 12, 21)), [ONE, TWO, THREE])


def override(name: str, action: str = "CLOSE") -> dict[str, Any]:
    kind = cohort_pb2.GateAction.Value(f"GATE_ACTION_{action}")
    return {"override": command_pb2.OverrideOrder(phase=name, action=kind)}


def reschedule(name: str, opens: int = 0, closes: int = 0) -> dict[str, Any]:
    return {"reschedule": command_pb2.RescheduleOrder(phase=name, open_days=opens, deadline_days=closes)}


def reopen(name: str, *institutions: str, days: int = 3) -> dict[str, Any]:
    order = command_pb2.ReopenOrder(phase=name, days=days, readmit=bool(institutions), institutions=institutions)
    return {"reopen": order}


def readmit(code: str) -> dict[str, Any]:
    return {"readmit": command_pb2.ReadmitOrder(institution=code)}


def enrol(code: str) -> dict[str, Any]:
    return {"enrol": command_pb2.EnrolOrder(participant=definition_pb2.Participant(institution=code))}


def split(*going: str) -> dict[str, Any]:
    return {"split": command_pb2.SplitOrder(cohort_id="c-2", title="Second", institutions=going)}


def with_session() -> definition_pb2.Phase:
    """A meeting on its fifth day at nine."""
    session = definition_pb2.DefinedSession(
        id="hall", start="2026-01-05T09:00", end="2026-01-05T12:00", time_zone="Asia/Jakarta"
    )
    return phase("meeting", 0, 9, sessions=[session])
