"""What people see of a cohort in a terminal of 80 columns, and as a page."""

import io
import re
from datetime import UTC, datetime, timedelta

from livinglab.program.v1 import audit_service_pb2, cohort_pb2
from rich.console import Console

from cli.cohort import page as cohort_page
from cli.cohort import watch
from cli.cohort.view import as_dict, notes, phase_state
from cli.speak import language
from programs import clock
from services.program.service.figures import report
from tests.harness.cohorts.report import NOW, close, cohort, three

SINCE = datetime(2026, 11, 1, 8, tzinfo=UTC)


def at_80_columns(shown: cohort_pb2.Cohort) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80, markup=False, highlight=False).print(
        watch.picture(shown, SINCE + timedelta(days=3, hours=1))
    )
    return out.getvalue().splitlines()


def waiting(blocking: int = 30) -> cohort_pb2.Cohort:
    blockers = [
        cohort_pb2.Blocker(
            institution=f"11.{number:02d}",
            missing=["workshop-attended", "self-assessed", "plan-approved", "evidence-submitted"],
            since_time=clock.stamp(SINCE),
        )
        for number in range(1, 21)
    ]
    workshop = cohort_pb2.PhaseProgress(
        phase="a-workshop-with-a-name-of-32-char",
        state=cohort_pb2.PHASE_STATE_OPEN,
        deadline_time=clock.stamp(SINCE),
        held_time=clock.stamp(SINCE),
        invited=514,
        done=484,
        blockers=blockers,
        blocking=blocking,
    )
    workshop.proposals.add(
        phase=workshop.phase, action=cohort_pb2.GATE_ACTION_EXCUSE, actor="manager-1", reason="[red]floods"
    )
    return cohort_pb2.Cohort(
        id="living-lab-2026",
        state=cohort_pb2.COHORT_STATE_PAUSED,
        pause_time=clock.stamp(SINCE),
        participants=514,
        active=514,
        phases=[workshop],
    )


def test_a_watcher_sees_who_blocks_the_gate_and_since_when() -> None:
    lines = at_80_columns(waiting())
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "paused since 2026-11-01" in text
    assert "held" in text
    assert "and 22 more" in text
    [first] = [line for line in lines if line.startswith("Kabupaten Aceh Selatan") and "2026-" in line]
    assert re.search(r"2026-11-01 \d\d:\d\d [A-Z]+", first)
    assert "(3 d)" in text
    assert "manager-1 proposes excuse, another manager has to agree ([red]floods)" in text


def test_a_phase_that_is_over_is_held_no_more() -> None:
    over = waiting().phases[0]
    over.state = cohort_pb2.PHASE_STATE_CLOSED
    assert phase_state(over) == "closed"


def test_programs_read_the_same() -> None:
    found = as_dict(waiting())
    assert (found["state"], found["paused"]) == ("paused", "2026-11-01T08:00:00.000Z")
    [phase] = found["phases"]
    assert (phase["blocking"], phase["held"], len(phase["blockers"])) == (30, "2026-11-01T08:00:00.000Z", 20)
    assert phase["proposals"][0]["action"] == "excuse"
    assert any("waits for 30: Kabupaten Aceh Selatan, Kabupaten Aceh Tenggara" in line for line in notes(waiting()))


def test_how_long_is_told_in_one_unit() -> None:
    stamp = clock.stamp(SINCE)
    told = [watch.ago(SINCE + timedelta(minutes=m), stamp) for m in (-5, 0, 59, 60, 1439, 1440, 20_000)]
    assert told == ["0 min", "0 min", "59 min", "1 h", "23 h", "1 d", "13 d"]


def page() -> str:
    row, standing = cohort(), three()
    close(row, "governance", standing)
    row["note"] = "<script>alert(1)</script>"
    entry = audit_service_pb2.AuditEntry(
        time=clock.stamp(NOW), actor="manager-1", command="pause", reason="<b>floods</b> & fire", outcome="paused"
    )
    return cohort_page.page(report(row, standing, NOW), [entry])


def test_the_page_needs_no_other_file_and_runs_nothing() -> None:
    assert not re.search(r"(src|href)=|url\(|@import|<script", page())
    assert '<meta name="viewport"' in page()
    assert "@media print" in page()


def test_what_people_wrote_is_escaped() -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page()
    assert "&lt;b&gt;floods&lt;/b&gt; &amp; fire" in page()
    assert "<title>Living Lab &lt;2022&gt;: report</title>" in page()


def test_the_page_tells_gains_leaps_targets_and_who_came() -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page()))
    for said in ("2.58 → 2.85", "2 leaps, of 2 with two results", "+0.50", "Kabupaten Sumedang", "3.0 in 2023"):
        assert said in text
    assert "secretary 3 2 0" in text
    assert "2022-11-01 09:00 WIB" in text


def test_a_page_can_be_made_of_a_cohort_where_nothing_happened_yet() -> None:
    made = cohort_page.page(report(cohort(), [], NOW), [])
    assert "Nobody has handed in two self-assessments" in made
    assert "<svg" not in made


def test_the_page_speaks_the_language_of_whoever_made_it() -> None:
    """Only what people or instruments named keeps its words: a reader of one language meets none of the other."""
    language.choose("id")
    made = page()
    assert '<html lang="id">' in made
    text = re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", made, flags=re.DOTALL))
    for said in ("2,58 → 2,85", "2 lompatan, dari 2 yang memiliki dua hasil", "+0,50", "3,0 pada 2023", "jeda"):
        assert said in text
    for english in (
        "the",
        "of",
        "and",
        "done",
        "closed",
        "paused",
        "phase",
        "duty",
        "mean",
        "since",
        "secretary",
        "with",
    ):
        assert not re.search(rf"\b{english}\b", text, re.IGNORECASE), english
