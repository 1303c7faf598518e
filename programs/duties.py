"""Duties in words, in both languages. Pure."""

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

LANGUAGES = ("id", "en")

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
ROLES = {
    options_pb2.ROLE_OPERATOR: {"id": "operator", "en": "operator"},
    options_pb2.ROLE_HEAD: {"id": "kepala dinas", "en": "head of the agency"},
    options_pb2.ROLE_SECRETARY: {"id": "sekretaris daerah", "en": "regional secretary"},
    options_pb2.ROLE_REGENT: {"id": "kepala daerah", "en": "head of the region"},
}
_AND = {"id": " dan ", "en": " and "}


def phase_title(phase: definition_pb2.Phase, language: str) -> str:
    """The title in that language, else the one that there is."""
    return phase.title_en if language == "en" and phase.title_en else phase.title


def in_words(duty: definition_pb2.Duty, phase: definition_pb2.Phase, language: str) -> str:
    """What the duty asks for, in `id` or `en`: penilaian mandiri 2022; its id where this build knows no such kind."""
    if duty.kind not in _DUTIES:
        return duty.id
    count = duty.count or 1
    words = _DUTIES[duty.kind][language].format(
        phase=phase_title(phase, language),
        roles=_AND[language].join(ROLES[role][language] for role in duty.roles if role in ROLES),
        period=duty.period,
        count=count,
        visits="visit" if count == 1 else "visits",
        indicators="indicator" if count == 1 else "indicators",
    )
    return " ".join(words.split())
