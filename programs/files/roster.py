"""A roster as a file. A table (CSV or XLSX): a line a person, with the columns institution, role, name, email and
language. YAML: by the code of the region, or as a cohort has it under `roster`."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import yaml
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from chassis import yaml_message
from chassis.forms.addresses import mailbox
from chassis.tables import Column, Form, Table, remarks_of
from chassis.yaml_message import Fault
from directory.columns import INSTITUTION
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
    # What is to be told of a table: columns that are not read, codes that are read as others.
    remarks: list[str] = field(default_factory=list)


LANGUAGE = "id"
# Roles and languages as people write them, beside the words for them.
_SPOKEN_ROLES = {
    "kepala": "head",
    "kepala dinas": "head",
    "kadis": "head",
    "sekretaris": "secretary",
    "sekretaris daerah": "secretary",
    "sekda": "secretary",
    "bupati": "regent",
    "wali kota": "regent",
    "walikota": "regent",
    "gubernur": "regent",
}
_SPOKEN_LANGUAGES = {"indonesia": "id", "bahasa indonesia": "id", "inggris": "en", "english": "en"}


def _role(text: str) -> str:
    plain = " ".join(text.lower().split())
    return _SPOKEN_ROLES.get(plain, plain if plain in _ROLES else text)


def _language(text: str) -> str:
    plain = " ".join(text.lower().split())
    return _SPOKEN_LANGUAGES.get(plain, plain)


FORM = Form(
    (
        INSTITUTION,
        Column("role", ("peran", "jabatan"), _role),
        Column("name", ("nama", "nama lengkap")),
        Column("email", ("surel", "alamat surel", "alamat email")),
        Column("language", ("bahasa",), _language, optional=True),
    )
)


def is_yaml(name: str) -> bool:
    """By the end of a file's name; all else is a table."""
    return name.lower().endswith((".yaml", ".yml"))


def parse(content: bytes | str, name: str = "") -> Roster:
    """Reads a file by the end of its name: YAML, or else a table. What cannot be taken is a fault with its line. The
    language of a person is id where it is empty."""
    if is_yaml(name):
        return _from_yaml(content if isinstance(content, str) else content.decode("utf-8-sig"))
    return _from_table(content.encode() if isinstance(content, str) else content)


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


def _from_table(content: bytes) -> Roster:
    roster = Roster()
    places: dict[str, int] = {}
    seen: dict[tuple[str, ...], int] = {}
    table = Table(io.BytesIO(content), FORM)
    for row in table:
        person = row.cells
        problems = [row.fault] if row.fault else list(_problems(person))
        key = (person.get("institution", ""), person.get("role", ""), mailbox(person.get("email", "")))
        if not problems and key in seen:
            problems.append(f"repeats line {seen[key]}: {person['role']} {person['email']} of {person['institution']}")
        seen.setdefault(key, row.line)
        roster.faults += [Fault(row.line, "", problem) for problem in problems]
        if problems:
            roster.incomplete.add(person.get("institution", ""))
        else:
            _add(roster, places, row.line, person)
    roster.remarks = remarks_of(table)
    return roster


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
    people.add(role=_ROLES[row["role"]], name=row["name"], email=row["email"], language=row.get("language") or LANGUAGE)
