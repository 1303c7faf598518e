"""`livinglab score`: the index of a file of levels, computed without any server."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.files import read_file, tell_of
from cli.speak.instruments import find_instrument
from cli.speak.output import AsJson, fail, print_json, say, table

if TYPE_CHECKING:
    from instruments.scoring import Result, Scorer

_MOST_FAULTS = 200  # lines written for one file
_PLURALS = {"criterion": "criteria", "category": "categories"}


def score(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with the columns indicator,level; or JSON.")],
    instrument: Annotated[
        str, typer.Option("--instrument", metavar="ID", help="Id of an instrument, or path of its file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Score a file of levels."""
    from instruments.scoring import Scorer

    scorer = Scorer(find_instrument(instrument))
    result = scorer.score(_values(file, scorer))
    if as_json:
        print_json(_as_json(result))
    else:
        _show(result)


def _values(file: Path, scorer: "Scorer") -> dict[str, Decimal]:
    """The file's values, or an end with every fault that it has."""
    from cli.speak.levels import LARGEST_FILE, read_levels

    levels = read_levels(read_file(file, LARGEST_FILE), tell_of(file))
    faults = list(levels.faults)
    # What is written without a level is still to be an indicator: a slip of the pen there would go unseen.
    bare = [item for item in levels.lines if item not in levels.values]
    found = scorer.check(levels.values) + scorer.strangers(bare)
    faults += [(levels.lines[item], f"indicator {item}: {reason}") for item, reason in found]
    lines = [f"{file}: line {line}: {reason}" for line, reason in sorted(faults)]
    missing = scorer.missing({*levels.values, *levels.unread})
    # Where nothing could be read, every indicator is missing, and saying so helps nobody.
    if missing and (levels.values or not levels.faults):
        lines.append(f"{file}: no level for indicator {', '.join(missing)}")
    if len(lines) > _MOST_FAULTS:
        lines[_MOST_FAULTS:] = [f"{file}: and {len(lines) - _MOST_FAULTS} more"]
    if lines:
        fail(*lines)
    return {item: Decimal(value) for item, value in levels.values.items()}


def _as_json(result: "Result") -> dict[str, Any]:
    from instruments.rounding import written

    # Domains and aspects are there even where an instrument has none, for programs that read many instruments.
    groups: dict[str, dict[str, str]] = {"aspects": {}, "domains": {}}
    for (kind, number), value in result.nodes.items():
        groups.setdefault(_PLURALS.get(kind, f"{kind}s"), {})[number] = written(value)
    return {"index": written(result.index), "predicate": result.predicate, **groups, "awaiting": list(result.awaiting)}


def _show(result: "Result") -> None:
    from instruments.rounding import written

    rows = [[kind, number, written(value)] for (kind, number), value in result.nodes.items()]
    table(["kind", "number", "value"], [*rows, ["index", "", written(result.index)]], right=["value"])
    if result.predicate:
        say(f"Predicate: {result.predicate}")
    if result.awaiting:
        say(f"Awaiting a value, counted at the scale's minimum: {', '.join(result.awaiting)}")
