"""A cohort's phases as a chart in text: one line a phase, bars over months, with what happens on which day."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from cli.speak.output import width_of_output

if TYPE_CHECKING:
    from livinglab.program.v1 import definition_pb2

    from programs.timeline import Happening

# The width of a chart that nobody looks at in a terminal: a file, a pipe.
_UNSEEN_WIDTH = 120
_LEAST_DAYS_WIDTH = 24
_DATES = " 2022-11-01 2022-11-13"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True)
class Marks:
    """A sign each for what a day can hold."""

    open: str
    for_some: str
    session: str
    reminder: str
    escalation: str
    last: str
    extended: str
    waits: str


PLAIN = Marks("=", "-", "o", "r", "e", "|", ".", ">")
DRAWN = Marks("━", "╍", "●", "◦", "▲", "┃", "┄", "»")


def chart(definition: "definition_pb2.Definition", happenings: "list[Happening]", width: int, marks: Marks) -> str:
    """The effective definition with what happens in it, at most so wide; phases in the order of the file."""
    names = max(len(phase.id) for phase in definition.phases)
    first = min(date.fromisoformat(phase.opens) for phase in definition.phases)
    last = max(item.day for item in happenings)
    room = max(_LEAST_DAYS_WIDTH, width - names - 1 - len(_DATES) - 1)
    scale = _Scale(first, (last - first).days + 2, room)
    lines = [" " * (names + 1) + line for line in scale.header()]
    for phase in definition.phases:
        own = [item for item in happenings if item.phase.id == phase.id]
        bar = _bar(phase, own, scale, marks).ljust(room)
        lines.append(f"{phase.id:<{names}} {bar} {phase.opens} {phase.closes}")
    lines += _legend(marks, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def draw(definition: "definition_pb2.Definition", happenings: "list[Happening]") -> None:
    """Writes the chart to standard output: drawn for a terminal that can, plain for everything else."""
    seen = sys.stdout.isatty()
    width = width_of_output(_UNSEEN_WIDTH)
    can_draw = seen and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(chart(definition, happenings, width, DRAWN if can_draw else PLAIN))


@dataclass(frozen=True)
class _Scale:
    """Days to columns."""

    first: date
    days: int
    room: int

    def column(self, day: date) -> int:
        return min(self.room - 1, (day - self.first).days * self.room // self.days)

    def header(self) -> list[str]:
        """The years, and the months where there is room to name them."""
        years, months = [" "] * (self.room + 4), [" "] * (self.room + 4)
        free_year = free_month = 0
        for day in self._month_starts():
            at = self.column(day)
            if at >= free_month and at + 3 <= self.room:
                months[at : at + 3] = _MONTHS[day.month - 1]
                free_month = at + 4
            if (day == self.first or day.month == 1) and at >= free_year and at + 4 <= self.room:
                years[at : at + 4] = str(day.year)
                free_year = at + 5
        return ["".join(years), "".join(months)]

    def _month_starts(self) -> Iterator[date]:
        day = self.first
        while day < self.first + timedelta(days=self.days):
            yield day
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _bar(phase: "definition_pb2.Phase", happenings: "list[Happening]", scale: _Scale, marks: Marks) -> str:
    from programs.timeline import Kind, waits

    cells = [" "] * (scale.room + 1)
    start, end = scale.column(date.fromisoformat(phase.opens)), scale.column(date.fromisoformat(phase.closes))
    for item in happenings:
        if item.kind is Kind.EXTENDED:
            later = scale.column(item.day)
            cells[end : later + 1] = marks.extended * (later + 1 - end)
    cells[start : end + 1] = (marks.for_some if phase.HasField("when") else marks.open) * (end + 1 - start)
    # The weightier one stays where two fall on one column.
    for kind, mark in ((Kind.REMINDER, marks.reminder), (Kind.ESCALATION, marks.escalation)):
        for item in happenings:
            if item.kind is kind:
                cells[scale.column(item.day)] = mark
    cells[end] = marks.last
    if waits(phase):
        cells[end + 1] = marks.waits
    for item in happenings:
        if item.kind is Kind.SESSION:
            cells[scale.column(item.day)] = marks.session
    return "".join(cells)


def _legend(marks: Marks, width: int) -> list[str]:
    parts = [
        f"{marks.open} open",
        f"{marks.for_some} open for some",
        f"{marks.session} session",
        f"{marks.reminder} reminder",
        f"{marks.escalation} escalation",
        f"{marks.last} last day",
        f"{marks.extended} where extended",
        f"{marks.waits} until somebody decides",
    ]
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += "   " + part
        else:
            lines.append(part)
    return lines
