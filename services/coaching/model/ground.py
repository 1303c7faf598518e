"""What changes of a plan are held against: who there is, what the instrument allows, when the program is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from livinglab.coaching.v1 import coaching_pb2 as pb

from directory import Institution
from instruments.rounding import written
from instruments.tree import Instrument
from services.coaching.model.plan import live
from services.coaching.model.planning import index_of

# A code of an official region; a name of an agency is never one.
_REGION = re.compile(r"\d{2}(\.\d{2})*")


@dataclass(frozen=True, slots=True)
class Window:
    """First and last day of a program; empty where it was not heard yet."""

    start: str = ""
    end: str = ""


@dataclass(frozen=True)
class Ground:
    """What changes are held against: who there is, what the instrument allows, when the program is."""

    institutions: Mapping[str, Institution]
    instrument: Instrument
    values: Mapping[str, Decimal]
    window: Window = Window()


def weigh(plan: pb.Plan, ground: Ground) -> None:
    """Says anew what each action and the whole plan are worth, in two-digit index points."""
    values = dict(ground.values) | {action.indicator: Decimal(action.from_value) for action in plan.actions}
    items = ground.instrument.items(values)
    share = {item.code: item.share for item in items}
    reached = dict(values)
    for action in live(plan):
        to_value = Decimal(action.to_value)
        gain = share[action.indicator] * Fraction(to_value - Decimal(action.from_value))
        action.gain = written(gain)
        reached[action.indicator] = max(reached[action.indicator], to_value)
    plan.to_index = written(index_of(ground.instrument.items(reached)))


def wrong(action: pb.Action, institution: str, ground: Ground) -> Iterator[tuple[str, str]]:
    """What is wrong with an action by itself: the field, and why."""
    window = ground.window
    for name in ("start_date", "due_date"):
        day = getattr(action, name)
        if day and window.start and day < window.start:
            yield name, f"{day} is before the program begins on {window.start}"
        if day and window.end and day > window.end:
            yield name, f"{day} is after the program ends on {window.end}"
    if action.start_date and action.due_date and action.due_date < action.start_date:
        yield "due_date", f"{action.due_date} is before it starts on {action.start_date}"
    if action.cost.startswith("-"):
        yield "cost", "must not be negative"
    if fault := _value_fault(action, ground.instrument):
        yield "to_value", fault
    if fault := owner_fault(action.owner, institution, ground.institutions):
        yield "owner", fault


def _value_fault(action: pb.Action, instrument: Instrument) -> str:
    if not action.to_value:
        return "must be a level to reach"
    value, lowest = Decimal(action.to_value), Decimal(action.from_value)
    if value <= lowest:
        return f"{value} is not above {lowest}, where it stands"
    if value > instrument.maximum or not instrument.has(value):
        return f"{value} is not on the scale of {instrument.minimum} to {instrument.maximum}"
    return ""


def owner_fault(owner: str, institution: str, known: Mapping[str, Institution]) -> str:
    """Why it is no agency of the institution; empty where it may be one. What is no code is a name, which is nobody's
    but a region's own."""
    if not owner or owner == institution:
        return ""
    if owner in known:
        passed, code = set[str](), owner
        while code and code not in passed:
            if code == institution:
                return ""
            passed.add(code)
            code = known[code].parent if code in known else ""
        return f"{owner} ({known[owner].name}) does not belong to {institution}"
    if _REGION.fullmatch(owner):
        return f"{owner} is not known here"
    if any(one.name.casefold() == owner.casefold() for code, one in known.items() if code != institution):
        return f"{owner} does not belong to {institution}"
    return ""
