"""Every limit that a constant states to people, at its value and one beyond: the constants are found in the source, so
that a new one turns this red until it is tried here or in a test of its own that names it."""

import ast
import io
import re
import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from livinglab.assessment.v1 import guidance_pb2, instrument_pb2
from livinglab.coaching.v1 import follow_up_pb2, follow_up_service_pb2, visit_pb2
from livinglab.notify.v1 import service_pb2 as notify_pb
from livinglab.program.v1 import definition_pb2, directory_service_pb2, schedule_service_pb2

from chassis.errors import Refused, Violation
from chassis.tables import workbook
from directory import LONGEST_CODE
from programs.files import definition as definition_files
from programs.rules import cohort, counts, gates, recurrence
from services.assessment.store import editions
from services.assessment.store import guidance as guidances
from services.coaching.model import follow_ups
from services.console.pages.cohort import orders
from services.notify.model import messages
from services.notify.store import inbox
from services.program.model import institution
from services.program.store import watched

ROOT = Path(__file__).resolve().parents[2]
NOBODY: Any = None
NOTHING: Any = {"guidance": None}
NAME = re.compile(r"_?(MOST|LARGEST|LONGEST)(_\w+)?")


def stated(source: str) -> set[str]:
    """The constants for the most of something that a text for people says."""
    texts = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr)]
    used = [node for text in texts for node in ast.walk(text)]
    names = {node.id for node in used if isinstance(node, ast.Name)}
    return {name for name in names | {n.attr for n in used if isinstance(n, ast.Attribute)} if NAME.fullmatch(name)}


FOUND = {
    f"{path.relative_to(ROOT).with_suffix('')}:{name}".replace("/", ".")
    for top in ("chassis", "directory", "instruments", "programs", "services")
    for path in sorted((ROOT / top).rglob("*.py"))
    for name in stated(path.read_text())
}


def refused(act: Callable[[], object]) -> list[str]:
    try:
        act()
    except Refused as error:
        return [error.message, *(fault.description for fault in error.violations)]
    return []


def said(faults: Iterable[Violation]) -> list[str]:
    return [fault.description for fault in faults]


def duties(count: int) -> list[str]:
    visit = visit_pb2.Visit(state=visit_pb2.VISIT_STATE_HELD, end_date="2022-11-16")
    one = follow_up_pb2.VisitDuty(due_date="2022-12-01")
    request = follow_up_service_pb2.AddVisitDutiesRequest(duties=[one] * count)
    return refused(lambda: follow_ups.with_duties(visit, None, request))


def days_more(days: int) -> list[str]:
    gate = definition_pb2.Gate(on_miss=definition_pb2.ON_MISS_EXTEND, extend_days=days)
    return said(gates.faults("p", definition_pb2.Phase(gate=gate)))


def days_after(days: int) -> list[str]:
    gate = definition_pb2.Gate(on_miss=definition_pb2.ON_MISS_HOLD)
    told = [definition_pb2.Escalation(days_before=-days)]
    return said(gates.faults("p", definition_pb2.Phase(gate=gate, escalations=told)))


def roster(size: int) -> list[str]:
    participants = [definition_pb2.Participant(institution="32.11") for _ in range(2)]
    person = participants[0].people.add(name="x" * (size - 100))
    person.name += "x" * (size - sum(one.ByteSize() for one in participants))
    spec = definition_pb2.CohortSpec(roster=participants)
    return said(cohort.validate(definition_pb2.Definition(), spec, ()))


def state(size: int) -> list[str]:
    participants = [definition_pb2.Participant(institution="x" * 98)] * 1_000
    phases = [definition_pb2.Phase()] * 5
    definition = definition_pb2.Definition(phases=phases, source="x" * (size - 1_000 * 100 * 5 * counts.LISTS_A_PHASE))
    definition.source = definition.source[: len(definition.source) - definition.ByteSize() + len(definition.source)]
    return said(cohort.validate(definition, definition_pb2.CohortSpec(roster=participants), ()))


def seconds(every: int) -> list[str]:
    asked = schedule_service_pb2.Recurrence(every_seconds=every)
    return said(recurrence.faults(asked, definition_pb2.CohortSpec(rehearsal=True, id="c")))


def file_of(size: int, folder: Path) -> list[str]:
    path = folder / "definition.yaml"
    with path.open("wb") as file:
        file.truncate(size)
    return [definition_files._bytes(path)[1]]


def unpacked(size: int, name: str) -> list[str]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        for start in range(0, size, 2**20):
            member.write(bytes(min(2**20, size - start)))
    return [workbook._unpacked_fault(file)]


def value(length: int) -> list[str]:
    draft = notify_pb.Draft(values={"reason": "x" * length})
    return said(messages.draft_violations(draft, "drafts[0]"))


def row(**fields: str) -> list[str]:
    one = directory_service_pb2.InstitutionRow(line=2, **{"code": "A-1", "name": "A", "kind": "agency", **fields})
    return list(institution._own_faults(one))


def watching(watchers: Any, count: int, seat: Callable[[int], tuple[str, ...]]) -> list[str]:
    """So many at once, each at its seat."""

    def all_of_them() -> None:
        with ExitStack() as stack:
            for n in range(count):
                stack.enter_context(watchers._counted(*seat(n)))

    return refused(all_of_them)


def guidance(size: int) -> list[str]:
    """As far as the database, which is not there."""
    message = guidance_pb2.Guidance(source="x" * (size - 100))
    message.source += "x" * (size - message.ByteSize())

    def publish() -> None:
        with suppress(AttributeError, TypeError):
            guidances.Guidances(NOTHING, NOBODY).publish(NOBODY, message).send(None)

    return refused(publish)


def instrument(size: int) -> list[str]:
    message = instrument_pb2.Instrument(source="x" * (size - 100))
    message.source += "x" * (size - message.ByteSize())
    return refused(lambda: editions.require_sound(message))


CASES: dict[str, tuple[int, Callable[[int], list[str]]]] = {
    "services.coaching.model.follow_ups:_MOST_DUTIES": (follow_ups._MOST_DUTIES, duties),
    "programs.rules.gates:_MOST_DAYS": (gates._MOST_DAYS, days_more),
    "programs.rules.gates:_MOST_DAYS, after the last day": (gates._MOST_DAYS, days_after),
    "programs.rules.cohort:_LARGEST_ROSTER": (cohort._LARGEST_ROSTER, roster),
    "programs.rules.cohort:MOST_STATE_BYTES": (counts.MOST_STATE_BYTES, state),
    "programs.rules.recurrence:_LONGEST_SECONDS": (recurrence._LONGEST_SECONDS, seconds),
    "chassis.tables.workbook:_LARGEST_TEXTS": (workbook._LARGEST_TEXTS, lambda n: unpacked(n, "xl/sharedStrings.xml")),
    "chassis.tables.workbook:_LARGEST_UNPACKED": (
        workbook._LARGEST_UNPACKED,
        lambda n: unpacked(n, "xl/worksheets/sheet1.xml"),
    ),
    "services.notify.model.messages:_LONGEST_VALUE": (messages._LONGEST_VALUE, value),
    "services.program.model.institution:LONGEST_CODE": (LONGEST_CODE, lambda n: row(code="A" * n)),
    "services.program.model.institution:_LONGEST_KIND": (institution._LONGEST_KIND, lambda n: row(kind="a" * n)),
    "services.assessment.store.editions:_LARGEST": (editions._LARGEST, instrument),
    "services.assessment.store.guidance:_LARGEST": (guidances._LARGEST, guidance),
    "services.notify.store.inbox:MOST_OF_ONE": (
        inbox.MOST_OF_ONE,
        lambda n: watching(inbox.Arrivals(NOBODY), n, lambda _: ("one seat", "")),
    ),
    "services.notify.store.inbox:MOST_WATCHERS": (
        inbox.MOST_WATCHERS,
        lambda n: watching(inbox.Arrivals(NOBODY), n, lambda seat: (str(seat), "")),
    ),
    "services.program.store.watched:MOST_OF_ONE": (
        watched.MOST_OF_ONE,
        lambda n: watching(watched.Watched(NOBODY), n, lambda _: ("one person",)),
    ),
    "services.program.store.watched:MOST_WATCHERS": (
        watched.MOST_WATCHERS,
        lambda n: watching(watched.Watched(NOBODY), n, lambda person: (str(person),)),
    ),
    "services.console.pages.cohort.orders:_MOST_DAYS": (
        orders._MOST_DAYS,
        lambda n: refused(lambda: orders._days(str(n))),
    ),
}
# Tried at their values and beyond where they need more than this: a database, a file, a stream of calls.
ELSEWHERE = {
    "chassis.mongo:LARGEST_FACT": "integration/chassis/events/test_outbox_trouble.py",
    "chassis.tables.lines:LARGEST_FILE": "unit/instruments/test_instrument_lint.py",
    "chassis.tables.lines:LONGEST_LINE": "unit/cli/test_results_file.py",
    "instruments.file:LARGEST_FILE": "unit/instruments/test_instrument_lint.py",
    "instruments.guidance_lint:LONGEST": "unit/cli/test_tables.py",
    "services.console.session.people:_MOST_FIELDS": "unit/console/test_forms.py",
    "programs.files.definition:_LARGEST_FILE": "contract/test_stated_limits.py",
    "programs.rules.cohort:MOST_BYTES": "unit/programs/test_counts.py",
    "programs.rules.cohort:MOST_PARTICIPANTS": "unit/programs/test_counts.py",
    "services.assessment.model.assessors:_MOST_ASSESSORS": "unit/assessment/test_limits.py",
    "services.assessment.model.evidence:MOST_PIECES": "unit/assessment/test_limits.py",
    "services.assessment.model.results:MOST_RESULTS": "integration/assessment/test_limits.py",
    "services.assessment.model.results:MOST_ROWS": "integration/assessment/test_limits.py",
    "services.assessment.model.self_assessment:MOST_ITEMS": "unit/assessment/test_limits.py",
    "services.assessment.service.uploads:MOST_UPLOADS": "integration/assessment/test_upload_quota.py",
    "services.assessment.store.editions:MOST_ITEMS": "unit/assessment/test_limits.py",
    "services.console.session.people:LARGEST_FORM": "integration/console/test_limits.py",
    "services.notify.store.webhooks:MOST": "integration/notify/test_webhooks.py",
    "services.program.engine.visibility:MOST_KEYWORDS": "integration/program/test_prepare.py",
    "services.program.model.institution:MOST_INSTITUTIONS": "unit/directory/test_institution.py",
    "services.program.model.institution:MOST_ROWS": "integration/program/test_limits.py",
    "services.program.service.steering:MOST_PARTICIPANTS": "unit/programs/test_counts.py",
}
# The same numbers as a list's in programs.rules.counts, where test_counts.py tries all of them.
LISTS = {
    "programs.rules.cohort:_MOST_PEOPLE": "Participant.people",
    "programs.rules.costs:_MOST_COSTS": "CohortSpec.costs",
    "programs.rules.definition:_MOST_PER_PHASE": "Phase.duties",
    "programs.rules.definition:_MOST_PHASES": "Definition.phases",
    "programs.rules.gates:_MOST_ESCALATIONS": "Phase.escalations",
    "programs.rules.overrides:_MOST_OVERRIDES": "CohortSpec.overrides",
}


def test_every_limit_that_is_stated_is_tried() -> None:
    assert len(FOUND) > 30
    tried = {name.partition(",")[0] for name in CASES} | ELSEWHERE.keys() | LISTS.keys()
    assert (FOUND - tried, tried - FOUND) == (set(), set())
    for name, file in ELSEWHERE.items():
        assert re.search(rf"\b{name.partition(':')[2]}\b", (ROOT / "tests" / file).read_text()), name


@pytest.mark.parametrize("name", CASES)
def test_a_limit_is_taken_at_its_value_and_refused_one_beyond(name: str) -> None:
    most, told = CASES[name]
    limit = re.compile(rf"\b{most}\b|more than {most}")
    assert not [text for text in told(most) if limit.search(text)]
    assert [text for text in told(most + 1) if limit.search(text)]


def test_a_file_of_a_program_is_taken_at_its_value_and_refused_one_byte_beyond(tmp_path: Path) -> None:
    assert file_of(definition_files._LARGEST_FILE, tmp_path) == [""]
    assert str(definition_files._LARGEST_FILE) in file_of(definition_files._LARGEST_FILE + 1, tmp_path)[0]


@pytest.mark.parametrize("name", LISTS)
def test_a_number_that_two_rules_have_is_one(name: str) -> None:
    module, _, constant = name.partition(":")
    found: Any = __import__(module, fromlist=[constant])
    assert getattr(found, constant) == counts.most(f"livinglab.program.v1.{LISTS[name]}")
