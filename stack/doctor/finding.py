"""What an examination finds."""

from collections.abc import Sequence
from dataclasses import dataclass

_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One thing that must hold, what was found, and what mends it where it does not hold."""

    what: str
    holds: bool
    found: str
    mend: str = ""

    def as_json(self) -> dict[str, object]:
        """As machines are told."""
        return {"invariant": self.what, "ok": self.holds, "found": self.found, "mend": self.mend}


def some(names: Sequence[str], more: str = "") -> str:
    """The first few of them, and how many there are."""
    told = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)}{more}" + (f": {told}" if names else "")
