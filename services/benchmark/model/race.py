"""What is compared with what: results, the groups that institutions belong to, and numbers as they are shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from livinglab.benchmark.v1 import events_pb2
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1.target_pb2 import TargetLine
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation
from instruments.rounding import written
from instruments.tree import Instrument

DIGITS = 2
NATION = "nation"
_IN_PROVINCES = ("kabupaten", "kota")
# Fewer bodies would show what single ones have, or carry no statistic.
SMALLEST_GROUP = 5
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_STAGE = "one race compares one stage, so that self-assessed and verified values are never mixed"


class Region(Protocol):
    """What the race needs to know of an institution: `kind` is kabupaten, kota, country ..., `parent` the code of its
    province, or of what else it belongs to."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def parent(self) -> str: ...


# Institutions by their codes.
Regions = Mapping[str, Region]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one institution stands in a race. `index` is the computed one, of two digits, or the published one where
    that is all there is and `computed` says no."""

    institution: str
    index: Decimal
    predicate: str
    published: str = ""
    computed: bool = True
    # Of the instrument; 0 is not known.
    version: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """One submitted stage of an evaluation, or an earlier result that was brought in; `version` is its aggregate's."""

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
    published: str = ""
    computed: bool = True
    imported: bool = False
    # Of the fact that told it.
    event_id: str = ""
    occurred: datetime = LONG_AGO

    @property
    def id(self) -> str:
        """One result an institution, instrument, period, stage and realm."""
        return result_id(self.institution, self.instrument, self.period, self.stage, self.rehearsal)

    @property
    def order(self) -> int:
        """Which of two facts on one result counts: an evaluation before what was brought in, then the newer version,
        then the publication before the submission that it came with."""
        return (not self.imported) * 2**48 + self.version * 2 + bool(self.published)


def told_version(order: int) -> int:
    """The version under which a result of that order is told. A submission and the publication that came with it share
    one, and an evaluation's lie above every import's: those of one result only grow, whichever fact is heard first."""
    return order // 2


def is_news(order: int, before: int) -> bool:
    """Whether a result that replaces one of the order `before` (-1 is none) is told: under a version of its own."""
    return told_version(order) > told_version(before)


def result_id(institution: str, instrument: str, period: str, stage: str, rehearsal: str) -> str:
    """The parts hold no slash, so that two results never share an id."""
    return "/".join((institution, instrument, period, stage, rehearsal))


def ranked(result: Result) -> events_pb2.ResultRanked:
    """The fact that a result stands in the race."""
    return events_pb2.ResultRanked(
        meta=Meta(
            aggregate_id=result.id,
            version=told_version(result.order),
            cohort_id=result.cohort_id,
            rehearsal=result.rehearsal,
        ),
        institution=result.institution,
        instrument=result.instrument,
        period=result.period,
        stage=result.stage,
        index=written(result.index),
    )


class Groups:
    """Peer groups by their names: kind:kota, province:32 (the kabupaten and kota in it), parent:ASEAN (whoever else
    belongs to an institution), and named sets such as cohort:ID and cluster:NAME; empty is everybody. `past` says that
    the sets are those of an earlier time."""

    def __init__(
        self, regions: Mapping[str, Region], sets: Mapping[str, Collection[str]] | None = None, *, past: bool = False
    ) -> None:
        self._past = past
        members: dict[str, set[str]] = {name: set(codes) for name, codes in (sets or {}).items()}
        for code, region in regions.items():
            members.setdefault(f"kind:{region.kind}", set()).add(code)
            if region.parent:
                above = "province" if region.kind in _IN_PROVINCES else "parent"
                members.setdefault(f"{above}:{region.parent}", set()).add(code)
        self._members = {name: frozenset(codes) for name, codes in members.items()}
        self._kinds = ", ".join(sorted(name for name in members if name.startswith("kind:")))

    def fault(self, group: str) -> str | None:
        """What is wrong with a group's name; None for one that is known. A cohort is known by its form: it has no
        members before the first facts of it arrive."""
        if group in ("", NATION) or group in self._members or (group.startswith("cohort:") and group != "cohort:"):
            return None
        if group.startswith("cluster:") and self._past:
            return f"{group} was not a cluster at that time"
        if group.startswith("cluster:"):
            return f"{group} is not a cluster: a manager names one (livinglab benchmark set-cluster)"
        return (
            f"{group} is not a group: take {self._kinds}, province: and a province's code, parent: and the code of "
            "what others belong to, cohort: and its id, cluster: and its name, or nothing for the nation"
        )

    def members(self, group: str) -> frozenset[str] | None:
        """Everybody of a group; None is the whole nation."""
        return None if group in ("", NATION) else self._members.get(group, frozenset())

    def names(self) -> list[str]:
        """Every group that has a name of its own; the nation has none."""
        return sorted(self._members)

    def within(self, group: str, standings: Sequence[Standing]) -> list[Standing]:
        """Those of the group."""
        members = self.members(group)
        if members is None:
            return list(standings)
        return [standing for standing in standings if standing.institution in members]

    def of(self, institution: str) -> list[str]:
        """Every group that an institution is in, the nation first."""
        return [NATION, *sorted(name for name, members in self._members.items() if institution in members)]


def race_faults(race: pb.Race, groups: Groups, stages: Collection[str]) -> list[Violation]:
    """Every fault of what is asked to be compared."""
    faults = []
    if race.stage and race.stage not in stages:
        faults.append(Violation("race.stage", f"{race.stage} is not one of {', '.join(stages)}: {_ONE_STAGE}"))
    if description := groups.fault(race.group):
        faults.append(Violation("race.group", description))
    return faults


def target_faults(targets: Sequence[str], place: str = "targets[{}]") -> list[Violation]:
    """Targets are compared with an index of two digits, so they have no more; `place` is where a request has them."""
    return [
        Violation(place.format(i), f"{target} has more than two digits after the point")
        for i, target in enumerate(targets)
        if Decimal(target) != round(Decimal(target), DIGITS)
    ]


def line_faults(lines: Sequence[TargetLine], instrument: Instrument | None) -> list[Violation]:
    """Of targets that are set: an index that the instrument cannot give is nobody's target. One that is not known here
    yet may be of any scale."""
    place = "lines[{}].target"
    faults = target_faults([line.target for line in lines], place)
    if instrument is not None:
        low, high = instrument.minimum, instrument.maximum
        faults += [
            Violation(place.format(at), f"{line.target} is not on the instrument's scale, {low} to {high}")
            for at, line in enumerate(lines)
            if not low <= Decimal(line.target) <= high
        ]
    return faults


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


def shown(index: Decimal) -> str:
    """With two digits, or with the more that were published: 3.80, 0.91425."""
    exact = index.normalize()
    exponent = exact.as_tuple().exponent
    return f"{exact:f}" if isinstance(exponent, int) and exponent <= -DIGITS else written(exact)
