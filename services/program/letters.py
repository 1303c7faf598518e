"""The values that notify's templates are filled with, in the language of each person. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_timezone_name
from livinglab.program.v1 import definition_pb2, workflow_pb2

from services.program import clock, model

_DUTIES = {
    definition_pb2.DUTY_KIND_ATTEND: {"id": "kehadiran pada {phase}", "en": "attendance at {phase}"},
    definition_pb2.DUTY_KIND_SELF_ASSESS: {"id": "penilaian mandiri {period}", "en": "the self-assessment of {period}"},
    definition_pb2.DUTY_KIND_PLAN_APPROVED: {
        "id": "rencana aksi yang disetujui pendamping",
        "en": "an action plan that the coach has approved",
    },
    definition_pb2.DUTY_KIND_SIGN_COMMITMENT: {
        "id": "penandatanganan komitmen bersama",
        "en": "signing the joint commitment",
    },
    definition_pb2.DUTY_KIND_FOLLOW_UP: {"id": "tindak lanjut rencana aksi", "en": "follow-up of the action plan"},
    definition_pb2.DUTY_KIND_REASSESS: {"id": "penilaian ulang {period}", "en": "the re-assessment for {period}"},
}
_LONGEST = 3_800


@dataclass(frozen=True)
class Occasion:
    """What a letter is about: the cohort and, except at its end, one of its phases."""

    cohort_title: str
    definition: definition_pb2.Definition
    clock: workflow_pb2.Clock
    institution_name: str
    phase: definition_pb2.Phase | None = None
    step: workflow_pb2.LetterStep | None = None


def values(occasion: Occasion, person: definition_pb2.Person) -> dict[str, str]:
    """Every value that a template may ask for: name, institution_name, cohort_title, phase_title, sessions (a line
    each), deadline (the last day, 2022-11-13) and missing (a line each). Dates are those of the program, also in a
    rehearsal."""
    found = {
        "name": person.name,
        "institution_name": occasion.institution_name,
        "cohort_title": occasion.cohort_title,
        "phase_title": "",
        "sessions": "",
        "deadline": "",
        "missing": "",
    }
    if occasion.phase is None or occasion.step is None:
        return found
    language = person.language
    found["phase_title"] = _title(occasion.phase, language)
    found["sessions"] = "\n".join(_session(session, language) for session in occasion.phase.sessions)[:_LONGEST]
    found["deadline"] = _last_day(occasion, occasion.step)
    found["missing"] = "\n".join(_missing(occasion, occasion.step, language))[:_LONGEST]
    return found


def _title(phase: definition_pb2.Phase, language: str) -> str:
    return phase.title_en if language == "en" and phase.title_en else phase.title


def _last_day(occasion: Occasion, step: workflow_pb2.LetterStep) -> str:
    """A phase closes when its last day is over."""
    end = clock.program_time(occasion.clock, clock.moment(step.deadline_time))
    # A compressed clock rounds; the deadline is a midnight.
    last = (end - timedelta(hours=12)).astimezone(ZoneInfo(occasion.definition.time_zone))
    return last.date().isoformat()


def _session(session: definition_pb2.DefinedSession, language: str) -> str:
    zone = ZoneInfo(session.time_zone)
    start = clock.local(session.start, session.time_zone).astimezone(zone)
    end = clock.local(session.end, session.time_zone).astimezone(zone)
    shape = "HH.mm" if language == "id" else "HH:mm"
    day = format_date(start.date(), "EEEE, d MMMM y", locale=language)
    hours = f"{format_time(start.time(), shape, locale=language)}–{format_time(end.time(), shape, locale=language)}"
    zone_name = get_timezone_name(start, width="short", locale="id")
    place = f", {session.place}" if session.place else ""
    return f"{session.title}{place}: {day}, {hours} {zone_name}"


def _missing(occasion: Occasion, step: workflow_pb2.LetterStep, language: str) -> Iterator[str]:
    phase = model.find_phase(occasion.definition, step.phase)
    undone = set(step.missing)
    for duty in phase.duties:
        if duty.id in undone and duty.kind in _DUTIES:
            yield "- " + _DUTIES[duty.kind][language].format(phase=_title(phase, language), period=duty.period)
