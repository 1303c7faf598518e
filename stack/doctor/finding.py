"""What an examination finds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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


@dataclass
class Named:
    """What was found, counted; only the first few are kept, for on a large platform that is broken it may be
    millions."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def __iadd__(self, names: Iterable[str]) -> "Named":
        for name in names:
            self.count += 1
            if len(self.first) < _NAMED:
                self.first.append(name)
        return self

    def __len__(self) -> int:
        return self.count


def some(names: Sequence[str] | Named, more: str = "") -> str:
    """The first few of them, and how many there are."""
    first = names.first if isinstance(names, Named) else names[:_NAMED]
    told = ", ".join(first) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)}{more}" + (f": {told}" if names else "")
