"""What a table must hold: its columns by the names that people give them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from chassis.tables import cells

_BLANK = re.compile(r"[\s_]+")
_NAMED = 8


@dataclass(frozen=True)
class Column:
    """A column: `also` are other names of it, the likelier first; of two that stand in one header the first one counts.
    `clean` brings a cell into the one form that its reader takes, and `remark` says what is worth telling of that. An
    optional one may be left out; of a `number` no digits may be lost."""

    name: str
    also: tuple[str, ...] = ()
    clean: Callable[[str], str] = cells.text
    optional: bool = False
    longest: int = 200
    number: bool = False
    remark: Callable[[str], str] = lambda _: ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, in the form that headers are compared in."""
        return tuple(heading(name) for name in (self.name, *self.also))


@dataclass(frozen=True)
class Form:
    """The columns of one kind of table."""

    columns: tuple[Column, ...]

    @property
    def header(self) -> str:
        """As it is written by who starts a table, with what may be left out in brackets."""
        must = ",".join(column.name for column in self.columns if not column.optional)
        return must + "".join(f"[,{column.name}]" for column in self.columns if column.optional)


@dataclass
class Heading:
    """What a header came to: which cell of a line is which column, and the titles of those that are not read."""

    places: dict[int, Column] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    fault: str = ""


def heading(title: str) -> str:
    """A title in the form that titles are compared in: E-mail, EMAIL and e_mail are one."""
    return _BLANK.sub(" ", cells.text(title)).lower().replace("-", "")


def fitted(titles: Sequence[str], forms: Sequence[Form]) -> Heading:
    """The header by the one form that it fits, whatever the order and the names; else what is wrong with it."""
    known = [heading(title) for title in titles]
    if twice := next((title for at, title in enumerate(known) if title and title in known[:at]), ""):
        return Heading(fault=f"{_must(forms)}: the column {twice} stands twice")
    found = [(form, *_placed(known, form)) for form in forms]
    fits = [(form, places) for form, places, missing in found if not missing]
    # One form may hold all that another one has.
    fits = [one for one in fits if not any(set(one[1]) < set(other[1]) for other in fits)]
    if len(fits) == 1:
        return Heading(fits[0][1], _ignored(titles, fits[0][1]))
    if fits:
        return Heading(fault=f"{_must(forms)}: it fits both")
    missing = min((missing for _, _, missing in found), key=len)
    return Heading(fault=f"{_must(forms)}: {_missing(missing, titles, found)}")


def _must(forms: Sequence[Form]) -> str:
    return "the header must be " + " or ".join(f"`{form.header}`" for form in forms)


def _placed(known: Sequence[str], form: Form) -> tuple[dict[int, Column], list[Column]]:
    """Which cell is which column, and the columns that are missing."""
    places: dict[int, Column] = {}
    missing: list[Column] = []
    for column in form.columns:
        at = next((known.index(name) for name in column.names if name in known and known.index(name) not in places), -1)
        if at >= 0:
            places[at] = column
        elif not column.optional:
            missing.append(column)
    return places, missing


def _ignored(titles: Sequence[str], places: dict[int, Column]) -> list[str]:
    return [cells.text(title)[:60] or f"column {at + 1}" for at, title in enumerate(titles) if at not in places]


def _missing(
    missing: Sequence[Column], titles: Sequence[str], found: Sequence[tuple[Form, dict[int, Column], list[Column]]]
) -> str:
    taken = {at for _, places, _ in found for at in places}
    free = {heading(title): cells.text(title) for at, title in enumerate(titles) if at not in taken and title}
    words = []
    for column in missing[:_NAMED]:
        close = next((c for name in column.names for c in get_close_matches(name, free, 1, 0.75)), "")
        words.append(f"{column.name} is missing" + (f" (is it '{free[close][:60]}'?)" if close else ""))
    return ", ".join(words)
