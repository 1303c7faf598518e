"""Files of what managers set for the race: people, places for visitors and members by institution, CSV or XLSX."""

import io
from pathlib import Path

from chassis import tables
from chassis.tables import Column, Form, Table
from cli.speak.files import read_file, tell_of
from cli.speak.known import known_institutions
from cli.speak.output import fail, note
from directory import codes
from directory.columns import INSTITUTION, NAME
from directory.names import name_fault

LARGEST_FILE = 1_000_000  # bytes

PEOPLE = Column("people", ("penduduk", "jumlah penduduk", "populasi", "population"), tables.whole, number=True)
VISITORS = Column("visitors", ("kapasitas", "capacity", "tamu"), tables.whole, number=True)
MOST_PEOPLE = 2_000_000_000
MOST_VISITORS = 1_000


def read_counts(file: Path, what: Column, most: int) -> list[tuple[str, int]]:
    """An institution and a whole number a line; ends with every fault by its line."""
    found: dict[str, int] = {}
    lines: dict[str, int] = {}
    faults: list[tuple[int, str]] = []
    for line, code, cells in _rows(file, Form((INSTITUTION, what, NAME)), lines, faults):
        count = cells[what.name]
        if count.isdecimal() and len(count) <= 12 and int(count) <= most:
            found[code] = int(count)
        else:
            faults.append((line, f"{what.name} '{count[:60]}' is not a whole number of at most {most}"))
    _end(file, faults)
    return list(found.items())


def read_codes(file: Path) -> list[str]:
    """An institution a line; ends with every fault by its line."""
    faults: list[tuple[int, str]] = []
    found = [code for _, code, _ in _rows(file, Form((INSTITUTION, NAME)), {}, faults)]
    _end(file, faults)
    return found


def _rows(
    file: Path, form: Form, lines: dict[str, int], faults: list[tuple[int, str]]
) -> list[tuple[int, str, dict[str, str]]]:
    table = Table(io.BytesIO(read_file(file, LARGEST_FILE)), form)
    found = []
    for row in table:
        code = row.cells.get("institution", "")
        fault = row.fault or _code_fault(code, row.cells.get("name", ""))
        if not fault and code in lines:
            fault = f"{code} was given before, in line {lines[code]}"
        if fault:
            faults.append((row.line, fault))
        else:
            lines[code] = row.line
            found.append((row.line, code, row.cells))
    tell_of(file)(table)
    if not found and not faults:
        # Nobody named means something else by hand: a cluster without members is taken back.
        faults.append((1, "has no line below its header"))
    return found


def _code_fault(code: str, name: str) -> str:
    if not code:
        return "names no institution"
    known = known_institutions()
    return name_fault(code, name, known) if code in known else codes.unknown(code, known)


def _end(file: Path, faults: list[tuple[int, str]]) -> None:
    if faults:
        fail(*(f"{file}: line {line}: {reason}" for line, reason in sorted(faults)))


def code_meant(text: str) -> str:
    """A code as a command was given it, read as in files; ends where no institution has it."""
    known, code = known_institutions(), codes.code_of(text)
    if code not in known:
        fail(codes.unknown(text, known))
    if later := codes.told(text):
        note(later)
    return code
