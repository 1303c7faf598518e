"""Phases and sessions of a cohort as a file for calendars."""

from datetime import UTC, datetime
from pathlib import Path

from livinglab.program.v1 import definition_pb2
from typer.testing import CliRunner

from cli.cohort.commands import app
from cli.cohort.ics import ics
from directory import official_regions
from programs import timeline
from programs.files.definition import PROGRAMS, check_cohort
from programs.overrides import effective

NOW = datetime(2026, 5, 1, 3, 4, 5, tzinfo=UTC)
COHORT = PROGRAMS / "cohorts" / "study-visit.yaml"


def events(content: bytes) -> list[dict[str, str]]:
    """The events of a file, read as the standard says: lines that begin with a blank go on with the one before."""
    lines = content.decode().replace("\r\n ", "").split("\r\n")
    found: list[dict[str, str]] = []
    for line in lines:
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found and ":" in line:
            name, _, value = line.partition(":")
            found[-1].setdefault(name, value)
    return found


def written() -> tuple[definition_pb2.Definition, definition_pb2.CohortSpec, bytes]:
    loaded = check_cohort(COHORT, official_regions())
    definition, cohort = loaded.definition.message, loaded.cohort.message
    counts = effective(definition, cohort)
    return counts, cohort, ics(counts, cohort, timeline.happenings(definition, cohort), NOW)


def test_phases_are_whole_days_and_sessions_have_hours() -> None:
    definition, _, content = written()
    found = {event["UID"].removesuffix("@livinglab").partition(".")[2]: event for event in events(content)}
    assert len(found) == len(definition.phases) + 2
    visiting = found["visiting"]
    assert (visiting["DTSTART;VALUE=DATE"], visiting["DTEND;VALUE=DATE"]) == ("20270303", "20270501")
    meeting = found["kick-off.kick-off-meeting"]
    assert (meeting["DTSTART"], meeting["DTEND"]) == ("20270126T040000Z", "20270126T060000Z")
    assert (meeting["LOCATION"], meeting["DTSTAMP"]) == ("Kota Jayapura", "20260501T030405Z")


def test_a_rehearsal_says_so_in_every_title() -> None:
    assert all(event["SUMMARY"].startswith("[GLADI] ") for event in events(written()[2]))


def test_long_and_special_words_are_written_as_the_standard_asks() -> None:
    definition, cohort, _ = written()
    cohort.rehearsal = False
    definition.phases[0].title = "é" * 100 + "; a, b\\c\nd\x07"
    content = ics(definition, cohort, [], NOW)
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert events(content)[0]["SUMMARY"] == "é" * 100 + r"\; a\, b\\c\nd "


def test_validate_writes_the_file_where_it_is_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "x.ics"
    assert CliRunner().invoke(app, ["validate", str(COHORT), "--ics", str(path)]).exit_code == 0
    assert len(events(path.read_bytes())) == 10
    refused = CliRunner().invoke(app, ["validate", str(COHORT), "--ics", str(tmp_path / "no" / "x.ics")])
    assert refused.exit_code == 1
    assert "cannot be written" in refused.stderr
    roster = CliRunner().invoke(
        app, ["validate", str(COHORT.parent / "study-visit-roster.yaml"), "--ics", str(tmp_path / "y")]
    )
    assert (roster.exit_code, "has no dates" in roster.stderr) == (1, True)
