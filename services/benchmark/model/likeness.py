"""Like with like: the one rule for what may stand side by side, in every question that compares.

Two indices are alike where they rest on one version of the instrument, on one basis (computed here, or as published),
on one stage and on one kind of period. Stage, instrument and realm are named in the race; the rest is seen from the
results: where all are alike nothing needs to be said, where they are not the question is refused, or asked of one kind
by name. Across periods the kind is that of the race's own period, and what is not of it is left out and told."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from livinglab.benchmark.v1 import service_pb2 as pb

from chassis.errors import invalid_field, precondition
from instruments import periods
from services.benchmark.model.race import Result, Standing


@dataclass(frozen=True, slots=True)
class Like:
    """What is compared: a basis, and a version of the instrument. Version 0 is any: nothing is known of it."""

    basis: pb.Basis.ValueType
    version: int

    def of(self, standings: Sequence[Standing]) -> list[Standing]:
        """Those that are like that."""
        return on_basis([s for s in standings if self._holds(s.version)], self.basis)[0]

    def left_out(self, standings: Sequence[Standing], period: str) -> list[pb.Withheld]:
        """What of another period's standings is not compared, and why; where only the basis is wanting it is empty."""
        others = Counter(s.version for s in standings if not self._holds(s.version))
        return [
            pb.Withheld(
                what=f"{count} results of {period}",
                reason=f"they rest on version {version} of the instrument, not {self.version}: never compared",
            )
            for version, count in sorted(others.items())
        ]

    def _holds(self, version: int) -> bool:
        return 0 in (version, self.version) or version == self.version


def like(standings: Sequence[Standing], race: pb.Race) -> tuple[list[Standing], Like]:
    """Those of one period that may be compared, and as what. FAILED_PRECONDITION (MIXED_VERSIONS, MIXED_BASIS) where
    the race does not say which, and they are not all alike."""
    version = race.version or _one_version(standings)
    chosen = Like(race.basis, version)
    found, basis = on_basis([s for s in standings if chosen._holds(s.version)], race.basis)
    return found, Like(basis, version)


def _one_version(standings: Sequence[Standing]) -> int:
    versions = Counter(standing.version for standing in standings if standing.version)
    if len(versions) > 1:
        counted = " and ".join(f"{count} on version {version}" for version, count in sorted(versions.items()))
        raise precondition(
            "MIXED_VERSIONS",
            f"of {len(standings)} results {counted} of the instrument; they are never compared: ask for one version",
        )
    return next(iter(versions), 0)


def on_basis(standings: Sequence[Standing], basis: pb.Basis.ValueType) -> tuple[list[Standing], pb.Basis.ValueType]:
    """Those that have an index of that basis, with it, and the basis that it is. FAILED_PRECONDITION (MIXED_BASIS)
    where none is named and no basis covers everybody."""
    computed = sum(standing.computed for standing in standings)
    published = sum(bool(standing.published) for standing in standings)
    if basis == pb.BASIS_UNSPECIFIED:
        if computed == len(standings):
            basis = pb.BASIS_COMPUTED
        elif published == len(standings):
            basis = pb.BASIS_PUBLISHED
        else:
            raise precondition(
                "MIXED_BASIS",
                f"of {len(standings)} results {computed} have a computed index and {published} a published one; "
                "they are never ranked together: ask for computed or for published",
            )
    if basis == pb.BASIS_COMPUTED:
        return [standing for standing in standings if standing.computed], basis
    official = [replace(s, index=Decimal(s.published)) for s in standings if s.published]
    return sorted(official, key=lambda s: (-s.index, s.institution)), basis


def require_same_version(one: Result, other: Result) -> None:
    """FAILED_PRECONDITION (MIXED_VERSIONS) where two results rest on different versions of the instrument."""
    if one.instrument_version != other.instrument_version:
        whose = " and ".join(f"that of {r.institution} on version {r.instrument_version}" for r in (one, other))
        raise precondition("MIXED_VERSIONS", f"the results rest on two versions of the instrument, {whose}")


def require_earlier(field: str, before: str, period: str) -> None:
    """INVALID_ARGUMENT where a gain would be counted from a period that is not over before the other: a loss would be
    told as one, or nothing as standing still."""
    if periods.order(before) >= periods.order(period):
        raise invalid_field(field, f"{before} is not before {period}")


def require_like_periods(one: str, other: str, among: Collection[str]) -> None:
    """FAILED_PRECONDITION (MIXED_RACES) where one is a year and the other a part of one, or they are parts of different
    kinds."""
    if reason := unlike(one, other, among):
        raise precondition("MIXED_RACES", f"{reason}, and like is compared with like only")


def unlike(one: str, other: str, among: Collection[str]) -> str:
    """In what kind two periods differ, the race's periods beside them; empty where they do not, or nothing shows it."""
    kinds = {period: periods.alike(period, [one, other, *among])[0] for period in (one, other)}
    parted = {period for period, parts in kinds.items() if parts != 1}
    if kinds[one] == kinds[other] or (0 in kinds.values() and len(parted) == 2):
        return ""
    words = [
        f"{period} is one of {periods.words(parts)}" if parts else f"{period} is a part of a year"
        for period, parts in kinds.items()
    ]
    return " and ".join(words)


def mixture(before: pb.Race, after: pb.Race) -> list[str]:
    """In what two races differ besides the period: such are never compared."""
    names = ("instrument", "stage", "group", "rehearsal", "basis", "version")
    return [name for name in names if getattr(before, name) != getattr(after, name)]
