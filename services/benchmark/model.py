"""What is compared with what: results, the groups that institutions belong to, and numbers as they are shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from livinglab.benchmark.v1 import events_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation

DIGITS = 2


class Region(Protocol):
    """What the race needs to know of an institution: `kind` is kabupaten, kota ..., `parent` its province's code."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def parent(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How one institution stands in a race: its index, of two digits."""

    institution: str
    index: Decimal
    predicate: str


@dataclass(frozen=True, slots=True)
class Result:
    """One submitted stage of an evaluation; `version` is the evaluation's."""

    institution: str
    instrument: str
    instrument_version: int
    period: str
    stage: str
    rehearsal: str
    cohort_id: str
    version: int
    index: Decimal
    predicate: str
    values: Mapping[str, Decimal]

    @property
    def id(self) -> str:
        """One result an institution, instrument, period, stage and realm."""
        return result_id(self.institution, self.instrument, self.period, self.stage, self.rehearsal)


def result_id(institution: str, instrument: str, period: str, stage: str, rehearsal: str) -> str:
    """The parts hold no slash, so that two results never share an id."""
    return "/".join((institution, instrument, period, stage, rehearsal))


def ranked(result: Result) -> events_pb2.ResultRanked:
    """The fact that a result stands in the race."""
    return events_pb2.ResultRanked(
        meta=Meta(
            aggregate_id=result.id, version=result.version, cohort_id=result.cohort_id, rehearsal=result.rehearsal
        ),
        institution=result.institution,
        instrument=result.instrument,
        period=result.period,
        stage=result.stage,
        index=written(result.index),
    )


class Groups:
    """Peer groups by their names: kind:kota, province:32 (the kabupaten and kota in it); empty is everybody."""

    def __init__(self, regions: Mapping[str, Region]) -> None:
        members: dict[str, set[str]] = {}
        for code, region in regions.items():
            members.setdefault(f"kind:{region.kind}", set()).add(code)
            if region.parent:
                members.setdefault(f"province:{region.parent}", set()).add(code)
        self._members = {name: frozenset(codes) for name, codes in members.items()}
        self._kinds = ", ".join(sorted(name for name in members if name.startswith("kind:")))

    def fault(self, group: str) -> str | None:
        """What is wrong with a group's name; None for one that is known."""
        if not group or group in self._members:
            return None
        return f"{group} is not a group: take {self._kinds}, province: and a province's code, or nothing for the nation"

    def within(self, group: str, standings: Sequence[Standing]) -> list[Standing]:
        """Those of the group."""
        if not group:
            return list(standings)
        members = self._members[group]
        return [standing for standing in standings if standing.institution in members]


def race_faults(race: pb.Race, groups: Groups, stages: Collection[str]) -> list[Violation]:
    """Every fault of what is asked to be compared."""
    faults = []
    if race.stage and race.stage not in stages:
        faults.append(Violation("race.stage", f"{race.stage} is not one of {', '.join(stages)}"))
    if description := groups.fault(race.group):
        faults.append(Violation("race.group", description))
    return faults


def target_faults(targets: Sequence[str]) -> list[Violation]:
    """Targets are compared with an index of two digits, so they have no more."""
    return [
        Violation(f"targets[{i}]", f"{target} has more than two digits after the point")
        for i, target in enumerate(targets)
        if Decimal(target) != round(Decimal(target), DIGITS)
    ]


def aggregate(standings: Sequence[Standing], targets: Sequence[str]) -> pb.GetAggregateResponse:
    """Count, plain mean of the two-digit indices, and how many reached each target; no mean without any."""
    total = sum((Fraction(standing.index) for standing in standings), Fraction(0))
    return pb.GetAggregateResponse(
        count=len(standings),
        mean=written(total / len(standings)) if standings else "",
        targets=[
            pb.TargetShare(target=target, reached=sum(s.index >= Decimal(target) for s in standings))
            for target in targets
        ],
    )


def written(value: Fraction | Decimal) -> str:
    """With two digits, rounded half up (away from zero): 2.64."""
    exact, unit = Fraction(value), 10**DIGITS
    count = (2 * abs(exact.numerator) * unit + exact.denominator) // (2 * exact.denominator)
    return f"{Decimal(-count if exact < 0 else count).scaleb(-DIGITS):f}"
