"""An instrument's numbers: how decimals are written, and whether its scale, the names of its levels and its predicates
are sound."""

import re
from collections.abc import Iterator
from decimal import Decimal

from livinglab.assessment.v1 import instrument_pb2 as pb

# A decimal as every contract takes it: at most 12 digits before and 6 after the point.
DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")
DECIMAL_PLACES = 6
_MORE_DIGITS = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_SHOWN = 40

# A place in the instrument, and what is wrong there.
Found = Iterator[tuple[str, str]]


def decimal(text: str) -> Decimal | None:
    """The decimal that the text writes, None where it does not write one."""
    return Decimal(text) if DECIMAL.fullmatch(text) else None


def unreadable(text: str) -> str:
    """Why the text is no decimal that is taken; of a long one only the beginning is said."""
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    if _MORE_DIGITS.fullmatch(text):
        return f"'{shown}' has more digits than are taken: 12 before and {DECIMAL_PLACES} after the point"
    return f"'{shown}' is not a decimal number"


def scale_faults(instrument: pb.Instrument) -> Found:
    if not instrument.HasField("scale"):
        yield "scale", "is missing"
        return
    scale = instrument.scale
    if not scale.kind:
        yield "scale.kind", "is missing: ordinal, decimal, binary or set"
    for field in ("min", "max"):
        yield from decimal_fault(f"scale.{field}", getattr(scale, field))
    bounds = bounds_of(instrument)
    if bounds and bounds[0] >= bounds[1]:
        yield "scale.max", f"{scale.max} is not above min, {scale.min}"
    elif bounds and scale.kind == pb.SCALE_KIND_ORDINAL:
        for field, bound in zip(("min", "max"), bounds, strict=True):
            if bound != int(bound):
                yield f"scale.{field}", f"{bound} is not a whole level, the scale is ordinal"
    yield from _values(scale, bounds)


def _values(scale: pb.Scale, bounds: tuple[Decimal, Decimal] | None) -> Found:
    """A set lists every value, lowest first, from min to max; other scales list none."""
    if scale.kind != pb.SCALE_KIND_SET:
        if scale.values and scale.kind:
            yield "scale.values", "are for a set: give the scale the kind set, or leave them out"
        return
    if len(scale.values) < 2:
        yield "scale.values", "are missing: a set lists at least two"
        return
    numbers = [decimal(text) for text in scale.values]
    for n, (text, number) in enumerate(zip(scale.values, numbers, strict=True)):
        before = numbers[n - 1] if n else None
        if number is None:
            yield f"scale.values[{n}]", f"'{text}' is not a decimal"
        elif before is not None and number <= before:
            yield f"scale.values[{n}]", f"{number} is not above {before} of the one before: lowest first"
    if bounds and (numbers[0], numbers[-1]) != bounds and None not in (numbers[0], numbers[-1]):
        yield "scale.values", f"go from {numbers[0]} to {numbers[-1]}, the scale from {bounds[0]} to {bounds[1]}"


def level_name_faults(instrument: pb.Instrument) -> Found:
    seen: set[str] = set()
    for n, names in enumerate(instrument.level_names):
        place = f"level_names[{n}]"
        if not names.capability:
            yield f"{place}.capability", "is missing"
        elif names.capability in seen:
            yield f"{place}.capability", f"'{names.capability}' was named before"
        seen.add(names.capability)
        if not names.names:
            yield f"{place}.names", "is missing"
        else:
            yield from _level_count(instrument, f"{place}.names", len(names.names))


def _level_count(instrument: pb.Instrument, place: str, count: int) -> Found:
    bounds, kind = bounds_of(instrument), instrument.scale.kind
    if not bounds or bounds[0] >= bounds[1]:
        return
    levels = {pb.SCALE_KIND_ORDINAL: int(bounds[1]) - int(bounds[0]) + 1, pb.SCALE_KIND_BINARY: 2}
    expected = (levels | {pb.SCALE_KIND_SET: len(instrument.scale.values)}).get(kind)
    if expected and count != expected:
        yield place, f"{count} names for a scale of {expected} levels, {bounds[0]} to {bounds[1]}"


def predicate_faults(instrument: pb.Instrument) -> Found:
    bounds = bounds_of(instrument)
    if bounds and bounds[0] >= bounds[1]:
        bounds = None
    labels: set[str] = set()
    before: Decimal | None = None
    for n, predicate in enumerate(instrument.predicates):
        place = f"predicates[{n}]"
        if not predicate.label:
            yield f"{place}.label", "is missing"
        elif predicate.label in labels:
            yield f"{place}.label", f"'{predicate.label}' was used before"
        labels.add(predicate.label)
        yield from decimal_fault(f"{place}.min", predicate.min)
        minimum = decimal(predicate.min)
        if minimum is None:
            continue
        if before is not None and minimum <= before:
            yield f"{place}.min", f"{minimum} is not above {before} of the one before: lowest first, no overlap"
        elif bounds and not bounds[0] <= minimum <= bounds[1]:
            yield f"{place}.min", f"{minimum} is outside the scale, {bounds[0]} to {bounds[1]}"
        elif bounds and n == 0 and minimum != bounds[0]:
            yield f"{place}.min", f"nothing covers the scale from {bounds[0]} up to {minimum}"
        before = minimum


def decimal_fault(place: str, text: str) -> Found:
    if not text:
        yield place, "is missing"
    elif decimal(text) is None:
        yield place, f"'{text}' is not a decimal: at most 12 digits before and 6 after the point"


def bounds_of(instrument: pb.Instrument) -> tuple[Decimal, Decimal] | None:
    low, high = decimal(instrument.scale.min), decimal(instrument.scale.max)
    return None if low is None or high is None else (low, high)
