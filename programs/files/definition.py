"""Definitions and cohorts as files: YAML, with the roster beside it as CSV or YAML, each fault with file and line."""

import codecs
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message
from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from chassis.yaml_message import Arrange, Fault, Parsed, parse
from programs.files import follow_ups
from programs.files import roster as roster_file
from programs.files.roster import Roster
from programs.rules import cohort as cohort_rules
from programs.rules import definition as definition_rules

M = TypeVar("M", bound=Message)
# What of a cohort can only be judged by its definition.
_OF_DEFINITION = ("definition", "overrides", "time_zone", "costs")
_LARGEST_FILE = 8 * 2**20
PROGRAMS = Path(str(files("programs"))) / "data"


@dataclass(frozen=True, order=True)
class FileFault:
    """A fault and the file that it is in."""

    file: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.file}: {self.fault}"


@dataclass
class CohortFile:
    """A cohort with its definition, what is wrong with them, and where each field of both stands."""

    cohort: Parsed[definition_pb2.CohortSpec]
    cohort_name: str
    definition: Parsed[definition_pb2.Definition]
    definition_name: str = ""
    roster_name: str = ""
    roster: Roster = field(default_factory=Roster)
    faults: list[FileFault] = field(default_factory=list)

    def locate(self, violations: Iterable[Violation]) -> list[FileFault]:
        """Faults of a LaunchCohortRequest made from these files, at their lines."""
        return sorted(self._locate(violation) for violation in violations)

    def _locate(self, violation: Violation) -> FileFault:
        part, _, path = violation.field.partition(".")
        if part == "definition" and path:
            line = self.definition.line(path)
            return FileFault(self.definition_name, Fault(line, path, violation.description))
        if self.roster_name and path.startswith("roster"):
            return FileFault(self.roster_name, Fault(self.roster_line(path), "", violation.description))
        line = self.cohort.line(path) if part == "cohort" else 0
        return FileFault(self.cohort_name, Fault(line, path or violation.field, violation.description))

    def follows(self, violation: Violation) -> bool:
        """Whether a broken rule may only follow from what could not be read."""
        part, _, path = violation.field.partition(".")
        if part == "definition":
            return not self.definition_name or follow_ups.follows(path, self.definition.faults)
        if path.startswith(_OF_DEFINITION) and (not self.definition_name or self.definition.faults):
            return True
        if path.startswith("roster"):
            return self._roster_follows(path)
        return follow_ups.follows(path, self.cohort.faults)

    def _roster_follows(self, path: str) -> bool:
        if path == "roster":
            unread = {"", "roster_file"}
            if any(f.fault.field in unread and f.file != self.definition_name for f in self.faults):
                return True
        place = re.fullmatch(r"roster\[(\d+)\]\.people", path)
        if place and self.cohort.message.roster[int(place[1])].institution in self.roster.incomplete:
            return True
        return follow_ups.follows(path, [f for f in (*self.roster.faults, *self.cohort.faults) if f.field])

    def roster_line(self, path: str) -> int:
        """The line of something in the roster's own file."""
        while path not in self.roster.lines and "." in path:
            path = path.rpartition(".")[0]
        return self.roster.lines.get(path, 0)


def load_definition(
    path: Path, known_regions: Collection[str] | None = None, known_instruments: Collection[str] | None = None
) -> tuple[definition_pb2.Definition, list[FileFault]]:
    """The definition in a file, and every fault of its own. Regions and instruments are looked up where given."""
    parsed = _parsed(path, definition_pb2.Definition)
    found = definition_rules.faults(parsed.message, known_instruments)
    if known_regions is not None:
        found += cohort_rules.role_model(parsed.message, known_regions)
    own = [violation for violation in found if not follow_ups.follows(violation.field, parsed.faults)]
    faults = {*parsed.faults, *parsed.locate(own)}
    return parsed.message, [FileFault(_name(path), fault) for fault in sorted(faults)]


def holds_definition(path: Path) -> bool:
    """Whether a file is a definition rather than a cohort: it has phases."""
    text, _ = _read(path)
    return re.search(r"^phases:", text, re.MULTILINE) is not None


def holds_roster(path: Path) -> bool:
    """Whether a file is a roster rather than a cohort: a table, or YAML that begins with the code of a region."""
    if path.suffix.lower() in (".csv", ".xlsx"):
        return True
    text, _ = _read(path)
    return re.match(r"""(?:[ \t]*(?:#[^\n]*)?\r?\n)*["']?\d\d(\.\d\d)?["']?\s*:""", text) is not None


def load_cohort(path: Path, *, beside: bool = False) -> CohortFile:
    """The cohort in a file, with its roster and the definition that it names: <id>.yaml beside it, one folder up, or
    one of ours. `faults` tells what could not be read. With `beside` no other place is looked into, as where the file
    is a stranger's."""
    parsed = _parsed(path, definition_pb2.CohortSpec, ("roster_file",), roster_file.inline)
    loaded = CohortFile(parsed, _name(path), Parsed(definition_pb2.Definition()))
    loaded.faults += [FileFault(_name(path), fault) for fault in parsed.faults]
    if parsed.message.definition:
        _add_definition(loaded, path)
    elif not follow_ups.follows("definition", parsed.faults):
        loaded.faults.append(FileFault(_name(path), Fault(0, "definition", "is required")))
    roster_file.speak(parsed.message.roster)
    if "roster_file" in parsed.extra:
        _add_roster(loaded, path, beside=beside)
    return loaded


def check_cohort(
    path: Path,
    known_regions: Collection[str],
    known_instruments: Collection[str] | None = None,
    now: datetime | None = None,
    name: str = "",
    *,
    beside: bool = False,
    rehearsal: bool = False,
) -> CohortFile:
    """As `load_cohort`, under another id where `name` gives one and as a rehearsal where that is asked for, with every
    fault that would keep it from starting. Rules are left out where they would only tell again what could not be
    read."""
    loaded = load_cohort(path, beside=beside)
    if name:
        loaded.cohort.message.id = name
    if rehearsal:
        loaded.cohort.message.rehearsal = True
        loaded.cohort.message.seconds_per_day = loaded.cohort.message.seconds_per_day or "1.0"
    found = cohort_rules.validate(
        loaded.definition.message, loaded.cohort.message, known_regions, known_instruments, now
    )
    broken = loaded.locate(violation for violation in found if not loaded.follows(violation))
    loaded.faults = sorted({*loaded.faults, *broken})
    return loaded


def check_roster(path: Path, known_regions: Collection[str]) -> tuple[Roster, list[FileFault]]:
    """A roster by itself, and every fault that it has whatever the definition is."""
    loaded = CohortFile(Parsed(definition_pb2.CohortSpec()), "", Parsed(definition_pb2.Definition()))
    loaded.roster_name = path.name
    content, unreadable = _roster_content(path)
    loaded.roster = Roster(faults=[Fault(0, "", unreadable)]) if unreadable else roster_file.parse(content, path.name)
    loaded.cohort.message.roster.extend(loaded.roster.participants)
    loaded.faults = [FileFault(_name(path), fault) for fault in loaded.roster.faults]
    found = cohort_rules.roster_faults(loaded.roster.participants, known_regions)
    named = (Violation(f"cohort.{violation.field}", violation.description) for violation in found)
    broken = loaded.locate(violation for violation in named if not loaded.follows(violation))
    return loaded.roster, sorted({*loaded.faults, *broken})


def _add_definition(loaded: CohortFile, path: Path) -> None:
    name = f"{loaded.cohort.message.definition}.yaml"
    candidates = [folder / name for folder in (path.parent, path.parent.parent, PROGRAMS)]
    climbs = "/" in name or "\\" in name
    standing = [] if climbs else [c for c in candidates if c.is_file() and c.resolve() != path.resolve()]
    # A cohort may have the name of another one's definition.
    found = next((c for c in standing if holds_definition(c)), standing[0] if standing else None)
    if found is None:
        fault = Fault(loaded.cohort.line("definition"), "definition", f"there is no definition {name}")
        loaded.faults.append(FileFault(_name(path), fault))
        return
    loaded.definition_name = found.name if found.name != path.name else f"{found.resolve().parent.name}/{found.name}"
    loaded.definition = _parsed(found, definition_pb2.Definition)
    loaded.faults += [FileFault(loaded.definition_name, fault) for fault in loaded.definition.faults]


def _add_roster(loaded: CohortFile, path: Path, *, beside: bool) -> None:
    named = loaded.cohort.extra["roster_file"]
    line = loaded.cohort.line("roster_file")
    if beside and (Path(named).name != named or "\\" in named):
        elsewhere = Fault(line, "roster_file", "must be the name of a file beside the cohort's")
        loaded.faults.append(FileFault(_name(path), elsewhere))
        return
    if loaded.cohort.message.roster:
        both = Fault(line, "roster_file", "the roster is given twice: here and under roster")
        loaded.faults.append(FileFault(_name(path), both))
        return
    loaded.roster_name = Path(named).name
    content, unreadable = _roster_content(path.parent / named)
    if unreadable:
        loaded.faults.append(FileFault(_name(path), Fault(line, "roster_file", f"{named} {unreadable}")))
        return
    roster = roster_file.parse(content, named)
    loaded.cohort.message.roster.extend(roster.participants)
    loaded.roster = roster
    loaded.faults += [FileFault(loaded.roster_name, fault) for fault in roster.faults]


def _parsed(path: Path, message: type[M], extra: tuple[str, ...] = (), arrange: Arrange | None = None) -> Parsed[M]:
    text, unreadable = _read(path)
    if unreadable:
        return Parsed(message(), faults=[Fault(0, "", unreadable)])
    return parse(text, message, extra, arrange)


def _name(path: Path) -> str:
    return path.name or str(path)


def _roster_content(path: Path) -> tuple[bytes | str, str]:
    """What is in a roster's file, a text where it is YAML; or why it cannot be had."""
    return _read(path) if roster_file.is_yaml(path.name) else _bytes(path)


def _bytes(path: Path) -> tuple[bytes, str]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        return b"", f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return (b"", f"has more than {_LARGEST_FILE} bytes") if len(content) > _LARGEST_FILE else (content, "")


def _read(path: Path) -> tuple[str, str]:
    """The text of a file, or why it cannot be had."""
    content, unreadable = _bytes(path)
    try:
        return content.decode("utf-8-sig"), unreadable
    except UnicodeDecodeError as error:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "", "is UTF-16 text: save it as UTF-8"
        line = content.count(b"\n", 0, error.start) + 1
        return "", f"is not UTF-8 text: line {line} has a byte that cannot be read, 0x{content[error.start]:02x}"
