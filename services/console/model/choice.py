"""Which race a page shows: what the address asks for, completed by what there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

# A race with fewer than this share of the largest one is only just beginning; it is not what people see first.
_SHARE = 4
_LONGEST = 300
ROWS = 50


class Held(Protocol):
    """A race that was held: newest period first, in it the latest stage first."""

    @property
    def instrument(self) -> str: ...
    @property
    def period(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def institutions(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """A race and a page of its ranking; `page` counts from 1."""

    instrument: str
    period: str
    stage: str
    group: str
    basis: str
    page: int

    def query(self, **changes: object) -> dict[str, str]:
        """As an address says it, without what is empty or the first."""
        changed = replace(self, **changes)  # type: ignore[arg-type]
        found = {name: str(getattr(changed, name)) for name in ("instrument", "period", "stage", "group", "basis")}
        if changed.page > 1:
            found["page"] = str(changed.page)
        return {name: value for name, value in found.items() if value}


def chosen(asked: Mapping[str, str], held: Sequence[Held]) -> Choice:
    """What the address asks for; what it leaves open is the newest race that is well under way."""
    given = {name: asked.get(name, "")[:_LONGEST] for name in ("instrument", "period", "stage", "group", "basis")}
    fitting = [r for r in held if all(not given[n] or getattr(r, n) == given[n] for n in ("instrument", "period"))]
    staged = [race for race in fitting if race.stage == given["stage"]]
    candidates = staged or fitting
    # What is half chosen (a year, no stage) shows the race of that year; a stage that nobody reached gives way.
    most = max((race.institutions for race in candidates), default=0)
    first = next((race for race in candidates if race.institutions * _SHARE >= most), None)
    page = asked.get("page", "1")
    return Choice(
        instrument=first.instrument if first else given["instrument"],
        period=first.period if first else given["period"],
        stage=first.stage if first else given["stage"],
        group="" if given["group"] == "nation" else given["group"],
        basis=given["basis"] if given["basis"] in ("computed", "published") else "",
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 6 and int(page) > 0 else 1,
    )
