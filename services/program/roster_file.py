"""A roster as CSV: one line a person, with the columns institution, role, name, email, language."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from chassis.yaml_message import Fault
from services.program.shapes import OF_INSTITUTION, role_name

COLUMNS = ("institution", "role", "name", "email", "language")
_ROLES: dict[str, options_pb2.Role.ValueType] = {role_name(role): role for role in OF_INSTITUTION}


@dataclass
class Roster:
    """The participants in the order in which they first appear, and the line of each (`roster[3].people[0]`)."""

    participants: list[definition_pb2.Participant] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def parse(text: str) -> Roster:
    """Reads every line; those that cannot be taken are faults. Language is id where it is empty."""
    roster = Roster()
    places: dict[str, int] = {}
    seen: dict[tuple[str, ...], int] = {}
    for line, row in _rows(text, roster.faults):
        problems = list(_problems(row))
        key = tuple(row[column] for column in ("institution", "role", "email"))
        if not problems and key in seen:
            problems.append(f"repeats line {seen[key]}: {row['role']} {row['email']} of {row['institution']}")
        seen.setdefault(key, line)
        roster.faults += [Fault(line, "", problem) for problem in problems]
        if not problems:
            _add(roster, places, line, row)
    return roster


def _rows(text: str, faults: list[Fault]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if sorted(header) != sorted(COLUMNS):
            faults.append(Fault(1, "", f"must name the columns {','.join(COLUMNS)}, not {','.join(header)[:200]}"))
            return
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                faults.append(Fault(reader.line_num, "", f"has {len(values)} values for {len(header)} columns"))
                continue
            yield reader.line_num, {name: value.strip() for name, value in zip(header, values, strict=True)}
    except csv.Error as error:
        faults.append(Fault(reader.line_num, "", f"is not CSV: {error}"))


def _problems(row: dict[str, str]) -> Iterator[str]:
    for column in ("institution", "role", "name", "email"):
        if not row[column]:
            yield f"{column} is missing"
    if row["role"] and row["role"] not in _ROLES:
        yield f"role {row['role'][:80]!r} is none of {', '.join(_ROLES)}"


def _add(roster: Roster, places: dict[str, int], line: int, row: dict[str, str]) -> None:
    code = row["institution"]
    if code not in places:
        places[code] = len(roster.participants)
        roster.participants.append(definition_pb2.Participant(institution=code))
        roster.lines[f"roster[{places[code]}]"] = line
    people = roster.participants[places[code]].people
    roster.lines[f"roster[{places[code]}].people[{len(people)}]"] = line
    people.add(role=_ROLES[row["role"]], name=row["name"], email=row["email"], language=row["language"] or "id")
