"""What people read: every template in both languages, written from exactly the values that it declares."""

import itertools

import jinja2
import pytest

from services.notify.texts import Texts, moment

TEXTS = Texts()
DECLARED = {
    "invitation": {"name", "institution_name", "cohort_title", "phase_title", "sessions", "missing", "deadline"},
    "reminder": {"name", "institution_name", "cohort_title", "phase_title", "missing", "deadline"},
    "plan_returned": {"name", "institution_name", "cohort_title", "reason"},
    "plan_approved": {"name", "institution_name", "cohort_title", "index", "actions"},
    "assessor_assigned": {"name", "institution_name", "cohort_title", "instrument", "period"},
    "evaluation_published": {"name", "institution_name", "cohort_title", "instrument", "period", "index", "predicate"},
    "graduation": {"name", "institution_name", "cohort_title"},
    "withdrawal": {"name", "institution_name", "cohort_title"},
    "cancellation": {"name", "institution_name", "cohort_title", "sessions", "reason"},
    "postponed": {
        "name",
        "institution_name",
        "cohort_title",
        "phase_title",
        "sessions",
        "missing",
        "deadline",
        "reason",
    },
    "paused": {"name", "institution_name", "cohort_title", "phase_title", "reason"},
    "resumed": {
        "name",
        "institution_name",
        "cohort_title",
        "phase_title",
        "sessions",
        "missing",
        "deadline",
        "reason",
    },
    "session_moved": {"name", "institution_name", "cohort_title", "phase_title", "sessions", "reason"},
    "session_cancelled": {"name", "institution_name", "cohort_title", "phase_title", "sessions", "reason"},
    "escalation": {"name", "institution_name", "cohort_title", "phase_title", "missing", "deadline", "days"},
    "readmitted": {"name", "institution_name", "cohort_title", "phase_title", "sessions", "missing", "deadline"},
}
_COMMON = {"name", "institution_name", "cohort_title"}
DECLARED |= {
    "digest": _COMMON | {"count", "letters"},
    "plan_submitted": _COMMON,
    "plan_unreviewed": _COMMON,
    "webhook_disabled": {"name", "host", "reason", "webhook_id"},
    "plan_waiting": _COMMON | {"reason"},
    "actions_waiting": _COMMON | {"actions"},
    "coach_assigned": _COMMON,
    "visit_planned": _COMMON | {"visitor", "host", "start_date", "end_date"},
    "visit_accepted": _COMMON | {"host"},
    "visit_cancelled": _COMMON | {"visitor", "host", "reason"},
    "assignment": _COMMON | {"instrument", "period"},
    "stage_concluded": _COMMON | {"stage", "instrument", "period", "index"},
    "objections_raised": _COMMON | {"indicators"},
    "objections_answered": _COMMON | {"accepted", "rejected"},
    "visit_asked": _COMMON | {"indicators", "reason"},
    "evidence_reviewed": _COMMON | {"indicator", "reason"},
    "evidence_expiring": _COMMON | {"title", "valid_until"},
    "session_missed": _COMMON | {"title", "day"},
    "memorandum_ending": _COMMON | {"title", "end_date"},
}
VALUES = {
    "webhook_id": "0192a1b2-0000-7000-8000-000000000001",
    "count": "2",
    "letters": "Rencana aksi diajukan\n\nMohon diperiksa.",
    "visitor": "Kabupaten Garut",
    "host": "Kota Bandung",
    "start_date": "2022-10-03",
    "end_date": "2022-10-04",
    "title": "Satu akun",
    "valid_until": "2022-12-31",
    "day": "2022-11-07",
    "stage": "interview",
    "indicator": "35-2",
    "indicators": "1, 2",
    "accepted": "3, 4",
    "rejected": "5",
    "name": "Siti Rahayu",
    "institution_name": "Kabupaten Sumedang",
    "cohort_title": "Living Lab 2022",
    "phase_title": "Lokakarya",
    "sessions": "7 November 2022, Jatinangor\n8 November 2022, Jatinangor",
    "missing": "Penilaian mandiri\nRencana aksi",
    "deadline": "2022-11-13T23:59:00+07:00",
    "reason": "Gempa bumi di Cianjur\nGedung dipakai untuk pengungsi",
    "days": "19",
    "index": "3.42",
    "actions": "12",
    "instrument": "spbe-2020",
    "period": "2022",
    "predicate": "Baik",
}
DEADLINE = {"id": "Minggu, 13 November 2022 pukul 23.59 WIB", "en": "Sunday, 13 November 2022 at 23:59 WIB"}
TOLD = {
    "id": {
        "deadline": DEADLINE["id"],
        "index": "3,42",
        "stage": "interviu",
        "start_date": "Senin, 3 Oktober 2022",
        "end_date": "Selasa, 4 Oktober 2022",
        "valid_until": "Sabtu, 31 Desember 2022",
        "day": "Senin, 7 November 2022",
    },
    "en": {
        "deadline": DEADLINE["en"],
        "start_date": "Monday, 3 October 2022",
        "end_date": "Tuesday, 4 October 2022",
        "valid_until": "Saturday, 31 December 2022",
        "day": "Monday, 7 November 2022",
    },
}
each_text = pytest.mark.parametrize(("template", "language"), [(t, lang) for t in DECLARED for lang in ("id", "en")])


def values_of(template: str) -> dict[str, str]:
    return {key: VALUES[key] for key in DECLARED[template]}


def test_the_templates_are_those_of_the_contract() -> None:
    assert {name: set(TEXTS.values(name)) for name in TEXTS.names} == DECLARED


@each_text
def test_a_text_shows_each_of_its_values(template: str, language: str) -> None:
    text = TEXTS.write(template, language, values_of(template), rehearsal=False)
    for key in DECLARED[template]:
        assert TOLD[language].get(key, VALUES[key]) in text.subject + text.body, key
    # What is of no cohort names none.
    assert "cohort_title" not in DECLARED[template] or VALUES["cohort_title"] in text.subject
    assert "\n" not in text.subject
    assert "{" not in text.subject + text.body
    assert "\n\n\n" not in text.body


@each_text
def test_a_text_that_lacks_a_value_is_not_written(template: str, language: str) -> None:
    values = values_of(template)
    for key in values:
        lacking = {other: value for other, value in values.items() if other != key}
        with pytest.raises(jinja2.UndefinedError, match=key):
            TEXTS.write(template, language, lacking, rehearsal=False)


@each_text
def test_a_letter_of_a_rehearsal_says_so_in_subject_and_body(template: str, language: str) -> None:
    real = TEXTS.write(template, language, values_of(template), rehearsal=False)
    rehearsed = TEXTS.write(template, language, values_of(template), rehearsal=True)
    mark = {"id": "GLADI", "en": "REHEARSAL"}[language]
    assert rehearsed.subject == f"[{mark}] {real.subject}"
    assert rehearsed.body.startswith("*** ")
    assert mark in rehearsed.body.splitlines()[0]
    assert real.body in rehearsed.body
    assert mark not in real.subject + real.body


def test_what_has_nothing_to_say_leaves_no_empty_heading() -> None:
    values = {**values_of("invitation"), "sessions": "", "missing": "", "deadline": ""}
    body = TEXTS.write("invitation", "id", values, rehearsal=False).body
    assert "Acara" not in body
    assert "sampai dengan" not in body
    assert "Yang perlu" not in body
    assert "\n\n\n" not in body


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("template", ["cancellation", "postponed", "paused", "resumed", "escalation", "readmitted"])
def test_a_letter_on_a_change_of_course_is_whole_without_the_values_that_may_be_empty(
    template: str, language: str
) -> None:
    always = {"name", "institution_name", "cohort_title"} | ({"phase_title"} if template != "readmitted" else set())
    values = {key: value if key in always else "" for key, value in values_of(template).items()}
    body = TEXTS.write(template, language, values, rehearsal=False).body
    assert "\n\n\n" not in body
    # No heading stands over nothing.
    assert not [line for line, below in itertools.pairwise(body.splitlines()) if line.endswith(":") and not below]
    assert "  " not in body


@pytest.mark.parametrize(
    ("days", "indonesian", "english"),
    [
        ("19", "Waktu yang tersisa 19 hari", "There are 19 days left"),
        ("1", "Waktu yang tersisa 1 hari", "There is 1 day left"),
        ("0", "Hari ini batas waktunya", "The deadline is today"),
        ("-1", "telah lewat 1 hari", "The deadline passed 1 day ago"),
        ("-19", "telah lewat 19 hari", "The deadline passed 19 days ago"),
        ("", "Tahap ini selesai pada Minggu", "This phase ends on Sunday"),
        ("soon", "Tahap ini selesai pada Minggu", "This phase ends on Sunday"),
    ],
)
def test_an_escalation_tells_days_before_and_after_the_deadline(days: str, indonesian: str, english: str) -> None:
    values = {**values_of("escalation"), "days": days}
    for language, told in (("id", indonesian), ("en", english)):
        body = TEXTS.write("escalation", language, values, rehearsal=False).body
        assert told in body
        assert DEADLINE[language] in body
        assert VALUES["missing"] in body


def test_the_two_languages_are_two_texts() -> None:
    for template in DECLARED:
        indonesian, english = (
            TEXTS.write(template, lang, values_of(template), rehearsal=False) for lang in ("id", "en")
        )
        assert indonesian.subject != english.subject
        assert indonesian.body != english.body


def test_a_value_is_never_read_as_a_template() -> None:
    values = {**values_of("graduation"), "name": "{{ cohort_title }} {% raw %}"}
    assert "Yth. {{ cohort_title }} {% raw %}," in TEXTS.write("graduation", "id", values, rehearsal=False).body


@pytest.mark.parametrize(
    ("given", "language", "told"),
    [
        ("2022-11-01", "id", "Selasa, 1 November 2022"),
        ("2022-11-01", "en", "Tuesday, 1 November 2022"),
        ("2022-11-21T10:00+08:00", "id", "Senin, 21 November 2022 pukul 10.00 WITA"),
        ("2022-11-21T10:00+09:00", "en", "Monday, 21 November 2022 at 10:00 WIT"),
        ("2022-11-13T16:59:00Z", "id", "Minggu, 13 November 2022 pukul 23.59 WIB"),
        ("2022-11-13T20:00:00Z", "id", "Senin, 14 November 2022 pukul 03.00 WIB"),
        ("2022-11-13T10:00+05:30", "en", "Sunday, 13 November 2022 at 10:00 UTC+05:30"),
        ("2022-11-13T10:00", "en", "Sunday, 13 November 2022 at 10:00"),
        ("13 November 2022", "id", "13 November 2022"),
        ("2022-13-99", "id", "2022-13-99"),
    ],
)
def test_a_deadline_is_told_in_the_readers_language_and_zone(given: str, language: str, told: str) -> None:
    assert moment(given, language) == told
