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
from chassis.yaml_message import Fault, Parsed, parse
from services.program import definition_rules, roster_file, validation

M = TypeVar("M", bound=Message)
_LARGEST_FILE = 8 * 2**20
PROGRAMS = Path(str(files("programs")))


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
    roster_lines: dict[str, int] = field(default_factory=dict)
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
            return FileFault(self.roster_name, Fault(self._roster_line(path), "", violation.description))
        line = self.cohort.line(path) if part == "cohort" else 0
        return FileFault(self.cohort_name, Fault(line, path or violation.field, violation.description))

    def _roster_line(self, path: str) -> int:
        while path not in self.roster_lines and "." in path:
            path = path.rpartition(".")[0]
        return self.roster_lines.get(path, 0)


def load_definition(
    path: Path, known_regions: Collection[str] | None = None, known_instruments: Collection[str] | None = None
) -> tuple[definition_pb2.Definition, list[FileFault]]:
    """The definition in a file, and every fault of its own. Regions and instruments are looked up where given."""
    parsed = _parsed(path, definition_pb2.Definition)
    found = definition_rules.faults(parsed.message, known_instruments)
    if known_regions is not None:
        found += validation.role_model(parsed.message, known_regions)
    faults = parsed.faults or parsed.locate(found)
    return parsed.message, [FileFault(path.name, fault) for fault in sorted(faults)]


def holds_definition(path: Path) -> bool:
    """Whether a file is a definition rather than a cohort: it has phases."""
    text, _ = _read(path)
    return re.search(r"^phases:", text, re.MULTILINE) is not None


def load_cohort(path: Path) -> CohortFile:
    """The cohort in a file, with its roster and the definition that it names: <id>.yaml beside it, one folder up, or
    one of ours. `faults` tells what could not be read."""
    parsed = _parsed(path, definition_pb2.CohortSpec, ("roster_file",))
    loaded = CohortFile(parsed, path.name, Parsed(definition_pb2.Definition()))
    loaded.faults += [FileFault(path.name, fault) for fault in parsed.faults]
    if parsed.message.definition:
        _add_definition(loaded, path)
    roster_file.speak(parsed.message.roster)
    if "roster_file" in parsed.extra:
        _add_roster(loaded, path)
    return loaded


def check_cohort(
    path: Path,
    known_regions: Collection[str],
    known_instruments: Collection[str] | None = None,
    now: datetime | None = None,
    name: str = "",
) -> CohortFile:
    """As `load_cohort`, under another id where `name` gives one, with every fault that would keep it from starting.
    What cannot be read is told by itself: the rules would only add what follows from it."""
    loaded = load_cohort(path)
    if name:
        loaded.cohort.message.id = name
    if not loaded.faults:
        found = validation.validate(
            loaded.definition.message, loaded.cohort.message, known_regions, known_instruments, now
        )
        loaded.faults = loaded.locate(found)
    return loaded


def _add_definition(loaded: CohortFile, path: Path) -> None:
    name = f"{loaded.cohort.message.definition}.yaml"
    candidates = [folder / name for folder in (path.parent, path.parent.parent, PROGRAMS)]
    found = next((c for c in candidates if c.is_file() and c.resolve() != path.resolve()), None)
    if found is None or "/" in name or "\\" in name:
        fault = Fault(loaded.cohort.line("definition"), "definition", f"there is no definition {name}")
        loaded.faults.append(FileFault(path.name, fault))
        return
    loaded.definition_name = found.name if found.name != path.name else f"{found.parent.name}/{found.name}"
    loaded.definition = _parsed(found, definition_pb2.Definition)
    loaded.faults += [FileFault(loaded.definition_name, fault) for fault in loaded.definition.faults]


def _add_roster(loaded: CohortFile, path: Path) -> None:
    named = loaded.cohort.extra["roster_file"]
    line = loaded.cohort.line("roster_file")
    if loaded.cohort.message.roster:
        both = Fault(line, "roster_file", "the roster is given twice: here and under roster")
        loaded.faults.append(FileFault(path.name, both))
        return
    loaded.roster_name = Path(named).name
    text, unreadable = _read(path.parent / named)
    if unreadable:
        loaded.faults.append(FileFault(path.name, Fault(line, "roster_file", f"{named} {unreadable}")))
        return
    roster = roster_file.parse(text, named)
    loaded.cohort.message.roster.extend(roster.participants)
    loaded.roster_lines = roster.lines
    loaded.faults += [FileFault(loaded.roster_name, fault) for fault in roster.faults]


def _parsed(path: Path, message: type[M], extra: tuple[str, ...] = ()) -> Parsed[M]:
    text, unreadable = _read(path)
    if unreadable:
        return Parsed(message(), faults=[Fault(0, "", unreadable)])
    return parse(text, message, extra)


def _read(path: Path) -> tuple[str, str]:
    """The text of a file, or why it cannot be had."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            return "", f"has more than {_LARGEST_FILE} bytes"
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "", "is UTF-16 text: save it as UTF-8"
        line = content.count(b"\n", 0, error.start) + 1
        return "", f"is not UTF-8 text: line {line} has a byte that cannot be read, 0x{content[error.start]:02x}"
    except (OSError, ValueError) as error:
        return "", f"cannot be read: {getattr(error, 'strerror', None) or error}"
