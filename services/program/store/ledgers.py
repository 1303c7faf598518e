"""Translates a participant's ledger into its document, and back."""

from collections.abc import Mapping
from typing import Any

from services.program.model.ledger import Ledger, Result


def ledger(row: Mapping[str, Any]) -> Ledger:
    """What a participant has done."""
    return Ledger(
        attended=_pairs(row, "attended"),
        delegated=_pairs(row, "delegated"),
        submitted=_pairs(row, "submitted"),
        results={(r["instrument"], r["period"]): _result(r) for r in row.get("results", ())},
        evidence={
            (kept["instrument"], kept["period"]): (kept["version"], kept["count"]) for kept in row.get("evidence", ())
        },
        signed=frozenset(row.get("signed", ())),
        plan_approved=row.get("plan_approved", False),
        actions_done=row.get("actions_done", 0),
        actions=row.get("actions", 0),
        visits=_pairs(row, "visits"),
        hosted=_pairs(row, "hosted"),
    )


def ledger_row(kept: Ledger) -> dict[str, Any]:
    """The same, to be stored."""
    return {
        "attended": sorted(kept.attended),
        "delegated": sorted(kept.delegated),
        "submitted": sorted(kept.submitted),
        "results": [
            {
                "instrument": instrument,
                "period": period,
                "index": result.index,
                "predicate": result.predicate,
                "version": result.version,
            }
            for (instrument, period), result in sorted(kept.results.items(), key=lambda item: item[0])
        ],
        "evidence": [
            {"instrument": instrument, "period": period, "version": version, "count": count}
            for (instrument, period), (version, count) in sorted(kept.evidence.items())
        ],
        "signed": sorted(kept.signed),
        "plan_approved": kept.plan_approved,
        "actions_done": kept.actions_done,
        "actions": kept.actions,
        "visits": sorted(kept.visits),
        "hosted": sorted(kept.hosted),
    }


def _pairs(row: Mapping[str, Any], name: str) -> frozenset[tuple[Any, Any]]:
    return frozenset((first, second) for first, second in row.get(name, ()))


def _result(row: Mapping[str, Any]) -> Result:
    return Result(row["index"], row["predicate"], row["version"])
