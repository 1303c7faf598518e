"""What letters of a program are filled with, in both languages."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from programs.files.definition import PROGRAMS, load_definition
from programs.phases import find_phase
from services.notify.model.messages import draft_violations
from services.program.activities import letters
from services.program.model import meetings


def written(step: pb.LetterStep, language: str = "id", program: str = "study-visit") -> dict[str, str]:
    """The values of a letter."""
    definition, _ = load_definition(PROGRAMS / f"{program}.yaml")
    start = clock.stamp(clock.opening(definition.time_zone, definition.phases[0]))
    zone = definition.time_zone
    pace = pb.Clock(wall_start=start, program_start=start, seconds_per_day=clock.REAL_DAY, time_zone=zone)
    phase = find_phase(definition, step.phase) if step.phase else None
    if phase is not None:
        step.deadline_time.CopyFrom(clock.stamp(clock.closing(definition.time_zone, phase)))
    sessions = meetings.standing(pace, phase, {}, ()) if phase else []
    occasion = letters.Occasion("Studi tiru", "tiru-1", definition, pace, "Kota Ambon", phase, step, sessions)
    return letters.values(occasion, definition_pb2.Person(name="Ani", language=language))


@pytest.mark.parametrize(
    ("phase", "duty", "indonesian", "english"),
    [
        ("visiting", "visited", "- melakukan studi tiru ke 1 instansi lain", "- 1 study visit to other institutions"),
        (
            "hosting",
            "hosted",
            "- menerima 1 kunjungan studi tiru dari instansi lain (tidak wajib)",
            "- hosting 1 visit of other institutions (optional)",
        ),
        (
            "re-assessment",
            "evidence-renewed",
            "- data dukung penilaian 2027 untuk 10 indikator (tidak wajib)",
            "- evidence for 10 indicators of the assessment of 2027 (optional)",
        ),
    ],
)
def test_what_is_still_to_be_done_is_named_in_the_language_of_the_person(
    phase: str, duty: str, indonesian: str, english: str
) -> None:
    step = pb.LetterStep(template="reminder", phase=phase, missing=[duty])
    assert written(step)["missing"] == indonesian
    assert written(step, "en")["missing"] == english


def test_every_kind_of_duty_has_words() -> None:
    kinds = set(definition_pb2.DutyKind.values()) - {definition_pb2.DUTY_KIND_UNSPECIFIED}
    definition, _ = load_definition(PROGRAMS / "study-visit.yaml")
    phase = definition_pb2.Phase(id="all", title="All")
    phase.duties.extend(definition_pb2.Duty(id=f"d{kind}", kind=kind) for kind in sorted(kinds))
    definition.phases.append(phase)
    step = pb.LetterStep(phase="all", missing=[duty.id for duty in phase.duties])
    for language in ("id", "en"):
        occasion = letters.Occasion("C", "c", definition, pb.Clock(seconds_per_day="1"), "K", phase, step)
        found = letters.values(occasion, definition_pb2.Person(language=language))["missing"]
        assert len(found.splitlines()) == len(kinds)


@pytest.mark.parametrize("days", [3, 0, -2])
def test_days_and_reason_are_told(days: int) -> None:
    step = pb.LetterStep(template="escalation", phase="action-plan", days=days, reason="Banjir")
    found = written(step)
    assert (found["days"], found["reason"], found["deadline"]) == (str(days), "Banjir", "2027-05-21")


def test_a_letter_about_the_whole_cohort_has_its_reason_and_no_phase() -> None:
    found = written(pb.LetterStep(template="cancellation", reason="Anggaran\r\nditunda\u2028 lagi\x00."))
    assert (found["reason"], found["phase_title"], found["days"]) == ("Anggaran ditunda lagi .", "", "")


def test_every_value_may_stand_in_a_mail() -> None:
    from livinglab.notify.v1 import service_pb2 as notify

    values = written(pb.LetterStep(phase="visiting", missing=["visited"], reason="x\ny" * 3_000, days=-1))
    recipient = notify.Recipient(name="Ani", email="ani@kota-ambon.example", language="id")
    draft = notify.Draft(template="escalation", recipient=recipient, values=values)
    assert list(draft_violations(draft, "draft")) == []


def test_a_letter_names_whole_sessions_and_says_how_many_more_there_are() -> None:
    definition, _ = load_definition(PROGRAMS / "study-visit.yaml")
    phase = definition.phases[0]
    del phase.sessions[:]
    title = "Lokakarya: penyusunan arsitektur SPBE dan peta rencana daerah bersama pendamping"
    for number in range(36):
        day, hour = 4 + number // 4, 8 + number % 4
        phase.sessions.add(
            id=f"s{number}",
            title=title,
            place="Gedung Sate, Bandung",
            start=f"2027-01-{day:02}T{hour:02}:00",
            end=f"2027-01-{day:02}T{hour:02}:45",
            time_zone="Asia/Jakarta",
        )
    start = clock.stamp(clock.opening("Asia/Jakarta", phase))
    pace = pb.Clock(wall_start=start, program_start=start, seconds_per_day=clock.REAL_DAY, time_zone="Asia/Jakarta")
    step = pb.LetterStep(template="invitation", phase=phase.id)
    meant = meetings.standing(pace, phase, {}, ())
    occasion = letters.Occasion("Banyak", "many-1", definition, pace, "Kabupaten Merauke", phase, step, meant)
    lines = letters.values(occasion, definition_pb2.Person(language="id"))["sessions"].splitlines()
    whole = re.compile(rf"{title}, Gedung Sate, Bandung: .* \d\d\.\d\d–\d\d\.\d\d WIB")
    assert all(whole.fullmatch(line) for line in lines[:-1])
    left = 36 - (len(lines) - 1)
    assert left > 0
    assert lines[-1] == f"… dan {left} lagi; semuanya dapat dilihat dengan: livinglab cohort calendar many-1"


@pytest.mark.parametrize(("language", "more"), [("id", "dapat dilihat dengan"), ("en", "see all of them with")])
def test_who_has_more_duties_than_a_mail_takes_is_sent_to_the_command_that_they_may_use(
    language: str, more: str
) -> None:
    phase = definition_pb2.Phase(id="work", title="Kerja", title_en="Work")
    for number in range(200):
        phase.duties.add(
            id=f"d{number}", kind=definition_pb2.DUTY_KIND_SELF_ASSESS, instrument="spbe-59-2020", period="2022"
        )
    definition = definition_pb2.Definition(phases=[phase])
    step = pb.LetterStep(template="reminder", phase="work", missing=[duty.id for duty in phase.duties])
    occasion = letters.Occasion("Banyak", "many-1", definition, pb.Clock(), "Kabupaten Merauke", phase, step)
    last = letters.values(occasion, definition_pb2.Person(language=language))["missing"].splitlines()[-1]
    assert more in last
    assert last.endswith("livinglab duties --cohort many-1")


def test_a_letter_tells_where_a_session_stands_and_not_where_it_stood() -> None:
    definition, _ = load_definition(PROGRAMS / "living-lab-2022.yaml")
    start = clock.stamp(clock.opening("Asia/Jakarta", definition.phases[0]))
    pace = pb.Clock(wall_start=start, program_start=start, seconds_per_day=clock.REAL_DAY, time_zone="Asia/Jakarta")
    phase = next(phase for phase in definition.phases if phase.sessions)
    first = phase.sessions[0]
    [before, *_] = meetings.standing(pace, phase, {}, ())
    moved = replace(before, start=before.start + timedelta(hours=2), end=before.end + timedelta(hours=2), version=2)
    [after, *_] = meetings.standing(pace, phase, {first.id: 7}, [moved])
    assert after.start == before.start + timedelta(days=7, hours=2)
    [off, *_] = meetings.standing(pace, phase, {first.id: 7}, [replace(moved, cancelled=True)])
    assert (off.cancelled, off.start) == (True, moved.start)
