"""The values that notify's templates are filled with, in the language of each person. Pure."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from livinglab.program.v1 import definition_pb2, workflow_pb2

from programs import clock, phases

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
    definition_pb2.DUTY_KIND_SUBMIT_EVIDENCE: {
        "id": "data dukung penilaian {period} untuk {count} indikator",
        "en": "evidence for {count} {indicators} of the assessment of {period}",
    },
    definition_pb2.DUTY_KIND_HOST_VISIT: {
        "id": "menerima {count} kunjungan studi tiru dari instansi lain",
        "en": "hosting {count} {visits} of other institutions",
    },
    definition_pb2.DUTY_KIND_VISIT: {
        "id": "melakukan studi tiru ke {count} instansi lain",
        "en": "{count} study {visits} to other institutions",
    },
}
_LONGEST = 3_800


@dataclass(frozen=True)
class Occasion:
    """What a letter is about: the cohort and, unless it is about the whole of it, one of its phases."""

    cohort_title: str
    definition: definition_pb2.Definition
    clock: workflow_pb2.Clock
    institution_name: str
    phase: definition_pb2.Phase | None = None
    step: workflow_pb2.LetterStep | None = None


def values(occasion: Occasion, person: definition_pb2.Person) -> dict[str, str]:
    """Every value that a template may ask for: name, institution_name, cohort_title, phase_title, sessions (a line
    each), deadline (the last day, 2022-11-13), missing (a line each), reason (one line, empty where none was given)
    and days (to the last day, such as 3; 0 on it, -2 two days after it). Dates are those of the program, also in a
    rehearsal."""
    found = {
        "name": person.name,
        "institution_name": occasion.institution_name,
        "cohort_title": occasion.cohort_title,
        "phase_title": "",
        "sessions": "",
        "deadline": "",
        "missing": "",
        "reason": "",
        "days": "",
    }
    if occasion.step is None:
        return found
    found["reason"] = _one_line(occasion.step.reason)
    if occasion.phase is None:
        return found
    language = person.language
    found["phase_title"] = _title(occasion.phase, language)
    found["sessions"] = "\n".join(_session(session, language) for session in occasion.phase.sessions)[:_LONGEST]
    found["deadline"] = _last_day(occasion, occasion.step) if occasion.step.HasField("deadline_time") else ""
    found["missing"] = "\n".join(_missing(occasion, occasion.step, language))[:_LONGEST]
    found["days"] = str(occasion.step.days)
    return found


def _one_line(text: str) -> str:
    """What a manager wrote may hold line breaks, and a mail takes none in a value like this."""
    readable = "".join(c if unicodedata.category(c) not in {"Cc", "Zl", "Zp"} else " " for c in text)
    return " ".join(readable.split())[:_LONGEST]


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
    place = f", {session.place}" if session.place else ""
    return f"{session.title}{place}: {day}, {hours} {clock.zone_name(start)}"


def _missing(occasion: Occasion, step: workflow_pb2.LetterStep, language: str) -> Iterator[str]:
    phase = phases.find_phase(occasion.definition, step.phase)
    undone = set(step.missing)
    for duty in phase.duties:
        if duty.id in undone and duty.kind in _DUTIES:
            count = duty.count or 1
            yield "- " + _DUTIES[duty.kind][language].format(
                phase=_title(phase, language),
                period=duty.period,
                count=count,
                visits="visit" if count == 1 else "visits",
                indicators="indicator" if count == 1 else "indicators",
            )
