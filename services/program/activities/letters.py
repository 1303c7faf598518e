"""The values that notify's templates are filled with, in the language of each person. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date, format_time
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2, workflow_pb2

from programs import clock, phases
from services.program.model.letter_steps import LONGEST, one_line
from services.program.model.meetings import Meeting

_DUTIES = {
    definition_pb2.DUTY_KIND_ATTEND: {
        "id": "kehadiran {roles} pada {phase}",
        "en": "attendance of the {roles} at {phase}",
    },
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
_ROLES = {
    options_pb2.ROLE_OPERATOR: {"id": "operator", "en": "operator"},
    options_pb2.ROLE_HEAD: {"id": "kepala dinas", "en": "head of the agency"},
    options_pb2.ROLE_SECRETARY: {"id": "sekretaris daerah", "en": "regional secretary"},
    options_pb2.ROLE_REGENT: {"id": "kepala daerah", "en": "head of the region"},
}
_AND = {"id": " dan ", "en": " and "}
_OPTIONAL = {"id": " (tidak wajib)", "en": " (optional)"}
_MORE = {
    "id": "… dan {count} lagi; semuanya dapat dilihat dengan: livinglab cohort {command} {cohort}",
    "en": "… and {count} more; see all of them with: livinglab cohort {command} {cohort}",
}


@dataclass(frozen=True)
class Occasion:
    """What a letter is about: the cohort and, unless it is about the whole of it, one of its phases with its sessions
    as they stand."""

    cohort_title: str
    cohort_id: str
    definition: definition_pb2.Definition
    clock: workflow_pb2.Clock
    institution_name: str
    phase: definition_pb2.Phase | None = None
    step: workflow_pb2.LetterStep | None = None
    sessions: Sequence[Meeting] = ()


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
    found["reason"] = one_line(occasion.step.reason)
    if occasion.phase is None:
        return found
    language = person.language
    found["phase_title"] = _title(occasion.phase, language)
    sessions = [_session(occasion.clock, meeting, language) for meeting in _meant(occasion, occasion.step)]
    found["sessions"] = _whole_lines(sessions, occasion, language, "calendar")
    if occasion.step.HasField("deadline_time"):
        deadline = clock.moment(occasion.step.deadline_time)
        found["deadline"] = clock.last_day(occasion.clock, deadline).isoformat()
    missing = list(_missing(occasion, occasion.step, language))
    found["missing"] = _whole_lines(missing, occasion, language, "participants")
    found["days"] = str(occasion.step.days)
    return found


def _whole_lines(lines: Sequence[str], occasion: Occasion, language: str, command: str) -> str:
    """As many as a mail takes; where some are left out, how many, and where to see them all."""
    for count in range(len(lines), -1, -1):
        left = len(lines) - count
        more = _MORE[language].format(count=left, command=command, cohort=occasion.cohort_id)
        text = "\n".join([*lines[:count], *([more] if left else [])])
        if len(text) <= LONGEST:
            return text
    return ""


def _title(phase: definition_pb2.Phase, language: str) -> str:
    return phase.title_en if language == "en" and phase.title_en else phase.title


def _meant(occasion: Occasion, step: workflow_pb2.LetterStep) -> list[Meeting]:
    """The session that the letter is about, else those that take place."""
    if step.session:
        return [meeting for meeting in occasion.sessions if meeting.session == step.session]
    return [meeting for meeting in occasion.sessions if not meeting.cancelled]


def _session(cohort_clock: workflow_pb2.Clock, meeting: Meeting, language: str) -> str:
    start, end = (clock.local_time(cohort_clock, at, meeting.time_zone) for at in (meeting.start, meeting.end))
    place = f", {meeting.place}" if meeting.place else ""
    until = _hour(end, language) if start.date() == end.date() else f"{_day(end, language)}, {_hour(end, language)}"
    dash = "–" if start.date() == end.date() else " – "
    hours = f"{_hour(start, language)}{dash}{until}"
    return f"{meeting.title}{place}: {_day(start, language)}, {hours} {clock.zone_name(start)}"


def _day(at: datetime, language: str) -> str:
    return str(format_date(at.date(), "EEEE, d MMMM y", locale=language))


def _hour(at: datetime, language: str) -> str:
    return str(format_time(at.time(), "HH.mm" if language == "id" else "HH:mm", locale=language))


def _missing(occasion: Occasion, step: workflow_pb2.LetterStep, language: str) -> Iterator[str]:
    phase = phases.find_phase(occasion.definition, step.phase)
    undone = set(step.missing)
    for duty in phase.duties:
        if duty.id in undone and duty.kind in _DUTIES:
            count = duty.count or 1
            words = _DUTIES[duty.kind][language].format(
                phase=_title(phase, language),
                roles=_AND[language].join(_ROLES[role][language] for role in duty.roles if role in _ROLES),
                period=duty.period,
                count=count,
                visits="visit" if count == 1 else "visits",
                indicators="indicator" if count == 1 else "indicators",
            )
            yield "- " + " ".join(words.split()) + ("" if duty.required else _OPTIONAL[language])
