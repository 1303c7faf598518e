"""A roster as a file. CSV: one line a person, with the columns institution, role, name, email, language. YAML: by the
code of the region, or as a cohort has it under `roster`."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import yaml
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from chassis import yaml_message
from chassis.yaml_message import Fault
from programs.rules.shapes import OF_INSTITUTION, role_name

COLUMNS = ("institution", "role", "name", "email", "language")
_WORD, _SEQUENCE, _MAPPING = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
_ROLES: dict[str, options_pb2.Role.ValueType] = {role_name(role): role for role in OF_INSTITUTION}


@dataclass
class Roster:
    """The participants in the order in which they first appear, and the line of each (`roster[3].people[0]`)."""

    participants: list[definition_pb2.Participant] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    # Institutions of which something could not be taken.
    incomplete: set[str] = field(default_factory=set)


# What spreadsheets write between the values of a line.
_SEPARATORS = ",;\t"
LANGUAGE = "id"


def parse(text: str, name: str = "") -> Roster:
    """Reads a file by the end of its name: YAML, or else CSV. What cannot be taken is a fault with its line. The
    language of a person is id where it is empty."""
    return _from_yaml(text) if name.lower().endswith((".yaml", ".yml")) else _from_csv(text)


def speak(participants: Iterable[definition_pb2.Participant]) -> None:
    """Gives everybody without a language the usual one."""
    for participant in participants:
        for person in participant.people:
            person.language = person.language or LANGUAGE


def _from_yaml(text: str) -> Roster:
    parsed = yaml_message.parse(text, definition_pb2.CohortSpec, arrange=_as_cohort)
    speak(parsed.message.roster)
    roster = list(parsed.message.roster)
    broken = (re.match(r"roster\[(\d+)\]", fault.field) for fault in parsed.faults)
    incomplete = {roster[int(place[1])].institution for place in broken if place and int(place[1]) < len(roster)}
    return Roster(roster, parsed.lines, sorted(parsed.faults), incomplete)


def _as_cohort(root: yaml.Node, faults: list[Fault]) -> yaml.Node:
    """Whatever shape the roster has, as the mapping {roster: [...]}."""
    if isinstance(root, yaml.SequenceNode):
        return _mapping(root, roster=root)
    if not isinstance(root, yaml.MappingNode):
        return root
    listed = [(key, node) for key, node in root.value if getattr(key, "value", None) == "roster"]
    if listed:
        others = [key for key, _ in root.value if key is not listed[0][0]]
        faults += [Fault(key.start_mark.line + 1, "", "must not stand beside roster") for key in others]
        return _mapping(root, roster=listed[0][1])
    return _mapping(root, roster=_by_code(root, faults))


def inline(root: yaml.Node, faults: list[Fault]) -> yaml.Node:
    """A cohort whose roster goes by code, as it does in a file of its own, with the roster as a list."""
    if isinstance(root, yaml.MappingNode):
        root.value = [
            (key, _by_code(node, faults))
            if getattr(key, "value", None) == "roster" and isinstance(node, yaml.MappingNode)
            else (key, node)
            for key, node in root.value
        ]
    return root


def _by_code(root: yaml.MappingNode, faults: list[Fault]) -> yaml.SequenceNode:
    """People by the code of their institution, as a list of participants."""
    codes: dict[str, int] = {}
    participants: list[yaml.Node] = []
    for key, people in root.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            faults.append(Fault(line, "", "must be the code of a region"))
        elif key.value in codes:
            faults.append(Fault(line, "", f"{key.value} stands already at line {codes[key.value]}"))
        else:
            codes[key.value] = line
            participants.append(_mapping(key, institution=key, people=people))
    return yaml.SequenceNode(_SEQUENCE, participants, root.start_mark, root.end_mark)


def _mapping(at: yaml.Node, **entries: yaml.Node) -> yaml.MappingNode:
    items = [(yaml.ScalarNode(_WORD, name, node.start_mark, node.end_mark), node) for name, node in entries.items()]
    return yaml.MappingNode(_MAPPING, items, at.start_mark, at.end_mark)


def _from_csv(text: str) -> Roster:
    roster = Roster()
    places: dict[str, int] = {}
    seen: dict[tuple[str, ...], int] = {}
    for line, row in _rows(text, roster):
        problems = list(_problems(row))
        key = tuple(row[column] for column in ("institution", "role", "email"))
        if not problems and key in seen:
            problems.append(f"repeats line {seen[key]}: {row['role']} {row['email']} of {row['institution']}")
        seen.setdefault(key, line)
        roster.faults += [Fault(line, "", problem) for problem in problems]
        if problems:
            roster.incomplete.add(row["institution"])
        else:
            _add(roster, places, line, row)
    return roster


def _rows(text: str, roster: Roster) -> Iterator[tuple[int, dict[str, str]]]:
    faults = roster.faults
    head = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not text.strip():
            faults.append(Fault(0, "", "is empty"))
            return
        if sorted(header) != sorted(COLUMNS):
            faults.append(Fault(1, "", f"must name the columns {','.join(COLUMNS)}, not {','.join(header)[:200]}"))
            return
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                faults.append(Fault(reader.line_num, "", f"has {len(values)} values for {len(header)} columns"))
                roster.incomplete.add(dict(zip(header, values, strict=False)).get("institution", "").strip())
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
    people.add(role=_ROLES[row["role"]], name=row["name"], email=row["email"], language=row["language"] or LANGUAGE)
