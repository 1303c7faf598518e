"""Instrument files: YAML in, the Instrument message out, with the line of every place so that faults can be found."""

from livinglab.assessment.v1 import instrument_pb2 as pb

from chassis.yaml_message import Parsed, parse
from instruments.lint import Fault, lint

LARGEST_FILE = 1_000_000  # bytes; the largest official instrument has 20,000


class InstrumentFaults(ValueError):
    """A file that is not a sound instrument; `faults` names everything wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def load(content: bytes) -> pb.Instrument:
    """The instrument that the file's content writes; raises InstrumentFaults with every fault."""
    parsed, faults = _read(content)
    if faults:
        raise InstrumentFaults(faults)
    return parsed.message


def lint_content(content: bytes) -> list[Fault]:
    """Every fault of an instrument file, of its form and of its sense, by line."""
    return _read(content)[1]


def _read(content: bytes) -> tuple[Parsed[pb.Instrument], list[Fault]]:
    """What could be read; its faults of form, and those of sense that do not merely follow from what could not."""
    if len(content) > LARGEST_FILE:
        return Parsed(pb.Instrument()), [Fault(0, "file", f"has more than {LARGEST_FILE} bytes")]
    parsed = parse(content, pb.Instrument)
    form = [Fault(one.line, one.field or "file", one.description) for one in parsed.faults]
    unread = {fault.place for fault in form}
    if "file" in unread:
        return parsed, form
    # Of a list with an item that could not be read, the length says nothing.
    unread |= {place[: place.rindex("[")] for place in unread if place.endswith("]")}
    inside = tuple(place + mark for place in unread for mark in ".[")
    sense = [
        fault
        for fault in lint(parsed.message, parsed.lines)
        if fault.place not in unread and not fault.place.startswith(inside)
    ]
    return parsed, sorted([*form, *sense])
