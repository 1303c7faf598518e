"""Rules of earlier results that are imported: which rows of a file are bad, and what a result becomes by the good
ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeAlias

from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2, results_events_pb2
from livinglab.assessment.v1 import results_service_pb2 as pb
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Kind, Refused, not_found
from chassis.forms.periods import EXAMPLES, is_period
from directory import Institution, codes
from directory.names import name_fault
from instruments import periods
from instruments.scale import decimal, unreadable
from instruments.scoring import Result as Scored
from instruments.scoring import Scorer

MOST_ROWS = 200_000
MOST_RESULTS = 20_000

_STAGES = {name.removeprefix("STAGE_").lower(): number for name, number in evaluation_pb2.Stage.items() if number} | {
    # As the tables of the field head their columns.
    "em": evaluation_pb2.STAGE_SELF_ASSESSMENT,
    "self": evaluation_pb2.STAGE_SELF_ASSESSMENT,
    "de": evaluation_pb2.STAGE_DOCUMENT,
    "int": evaluation_pb2.STAGE_INTERVIEW,
    "published": evaluation_pb2.STAGE_PUBLICATION,
}
# In the language of the field, with what stands in brackets there left out.
_SPOKEN_STAGES = {
    "penilaian mandiri": evaluation_pb2.STAGE_SELF_ASSESSMENT,
    "evaluasi dokumen": evaluation_pb2.STAGE_DOCUMENT,
    "dokumen": evaluation_pb2.STAGE_DOCUMENT,
    "interviu": evaluation_pb2.STAGE_INTERVIEW,
    "wawancara": evaluation_pb2.STAGE_INTERVIEW,
    "visitasi": evaluation_pb2.STAGE_VISIT,
    "kunjungan": evaluation_pb2.STAGE_VISIT,
    "reviu": evaluation_pb2.STAGE_REVIEW,
    "penetapan": evaluation_pb2.STAGE_DETERMINATION,
    "publikasi": evaluation_pb2.STAGE_PUBLICATION,
}
_SHOWN = 60

Stage: TypeAlias = evaluation_pb2.Stage.ValueType


class Edition(Protocol):
    """One version of an instrument with its scorer."""

    @property
    def instrument(self) -> instrument_pb2.Instrument: ...

    @property
    def scorer(self) -> Scorer: ...


# The newest version of an instrument, or None for one that is not known.
Instruments = Callable[[str], Edition | None]


@dataclass(slots=True)
class Given:
    """What the rows of one file say of one result."""

    line: int
    institution: str
    instrument: instrument_pb2.Instrument
    period: str
    stage: Stage
    scorer: Scorer
    published: str = ""
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    bad: bool = False

    @property
    def id(self) -> str:
        """One result an institution, instrument, period and stage."""
        return result_id(self.institution, self.instrument.id, self.period, self.stage)


class Gathering:
    """Takes the rows of a file one by one. Memory grows with the results, up to the limits, and not with the faults."""

    def __init__(self, institutions: Mapping[str, Institution], instruments: Instruments, most_rejected: int) -> None:
        self._institutions = institutions
        self._instruments = instruments
        self._most_rejected = most_rejected
        self._found: dict[tuple[str, ...], Given | str] = {}
        # Provinces without a name, and whether the file has codes of the statistics office.
        self._unnamed: list[Given] = []
        self._statistics = False
        self._by_id: dict[str, Given] = {}
        self._rows = 0
        self.rejected: list[pb.RejectedRow] = []
        self.rejected_count = 0

    def add(self, row: pb.ImportRow) -> None:
        """Takes a row, or notes why not; RESOURCE_EXHAUSTED over the limits of one file."""
        self._rows += 1
        given = None if row.unreadable else self._given(row)
        if self._rows > MOST_ROWS or len(self._found) > MOST_RESULTS:
            message = f"a file has at most {MOST_ROWS} rows and {MOST_RESULTS} results: split it"
            raise Refused(Kind.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE", message)
        reason = row.unreadable or (given if isinstance(given, str) else "")
        if isinstance(given, Given):
            reason = _take(given, row)
            given.bad = given.bad or bool(reason)
        if reason:
            self._reject(row.line, reason)

    def results(self) -> list[Given]:
        """The complete results without a bad row, once every row was added; incomplete ones are rejected now."""
        good = []
        for given in self._unnamed if self._statistics else ():
            if not given.bad and (doubt := codes.doubtful(given.institution)):
                given.bad = True
                self._reject(given.line, doubt)
        for given in self._by_id.values():
            missing = given.scorer.missing(given.values) if given.values and not given.bad else []
            if missing:
                count = f"{len(missing)} indicators have no level" if len(missing) > 1 else "one indicator has no level"
                self._reject(given.line, f"{given.id}: {count}: {_short(', '.join(missing))}")
            elif not given.bad:
                good.append(given)
        self.rejected.sort(key=lambda rejected: rejected.line)
        return good

    def _reject(self, line: int, reason: str) -> None:
        self.rejected_count += 1
        if len(self.rejected) < self._most_rejected:
            self.rejected.append(pb.RejectedRow(line=line, reason=reason))

    def _given(self, row: pb.ImportRow) -> Given | str:
        """The result that the row is about, or why there is none."""
        key = row.institution, row.instrument, row.period, row.stage, row.name
        known = self._found.get(key)
        if known is None:
            known = self._found[key] = self._new(row)
        return known

    def _new(self, row: pb.ImportRow) -> Given | str:
        faults = []
        code = codes.code_of(row.institution)
        if code not in self._institutions:
            faults.append(codes.unknown(_short(row.institution), self._institutions))
            self._statistics = self._statistics or codes.is_of_statistics(code)
        elif other := name_fault(code, row.name, self._institutions):
            faults.append(other)
        found = self._instruments(row.instrument)
        if found is None:
            faults.append(f"instrument '{_short(row.instrument)}' is not known")
        if not is_period(row.period):
            faults.append(f"period '{_short(row.period)}' is not {EXAMPLES}")
        elif early := codes.too_early(code, periods.parse(row.period).year):
            faults.append(early)
            self._statistics = True
        stage = _stage(row.stage)
        if stage is None:
            faults.append(f"stage '{_short(row.stage)}' is none of {', '.join(_STAGES)}")
        if faults or found is None or stage is None:
            return "; ".join(faults)
        given = Given(row.line, code, found.instrument, row.period, stage, found.scorer)
        # The same stage may be written in two ways, and so may a code.
        given = self._by_id.setdefault(given.id, given)
        if not row.name:
            self._unnamed.append(given)
        return given


def _stage(text: str) -> Stage | None:
    """A stage by its name, its letters or in the language of the field: Penilaian Mandiri (EM)."""
    plain = text.strip().lower()
    named = _STAGES.get(plain.replace("-", "_").replace(" ", "_"))
    return named or _SPOKEN_STAGES.get(plain.partition("(")[0].strip())


def _take(given: Given, row: pb.ImportRow) -> str:
    """Lays the row into its result; the reason where it is bad."""
    item = row.indicator
    if item in given.lines:
        what = f"indicator {_short(item)}" if item else "the index"
        return f"{what} of this result was given before, in line {given.lines[item]}"
    given.lines[item] = row.line
    if not row.value:
        return "has no level" if item else "has no index"
    if not item:
        scale, index = given.instrument.scale, decimal(row.value)
        if index is None:
            return f"index {unreadable(row.value)}"
        if not Decimal(scale.min) <= index <= Decimal(scale.max):
            return f"index '{_short(row.value)}' is not between {scale.min} and {scale.max}"
        given.published = _index(index)
        return ""
    faults = given.scorer.check({item: row.value})
    if faults:
        return _short(f"indicator {item}: {faults[0][1]}", 200)
    given.values[item] = f"{Decimal(row.value).normalize():f}"
    return ""


def merged(stored: pb.Result | None, given: Given, actor: str, now: datetime) -> pb.Result | None:
    """The next version of a result; None where it says so already. What a file does not say stays as it was."""
    result = pb.Result()
    if stored is not None and not stored.withdrawn_reason:
        result.CopyFrom(stored)
    else:
        # One that was taken out starts anew, but its versions go on.
        result.version = stored.version if stored is not None else 0
        result.id, result.institution, result.instrument = given.id, given.institution, given.instrument.id
        result.period, result.stage = given.period, given.stage
        result.instrument_version = given.instrument.version
    if given.published:
        result.published_index = given.published
        result.published_predicate = given.scorer.predicate(Decimal(given.published))
    if given.values and given.values != dict(result.values):
        result.ClearField("values")
        result.values.update(given.values)
        result.instrument_version = given.instrument.version
        result.score.CopyFrom(_scored(given).message())
    result.difference = difference(result.published_index, result.score.index)
    if stored is not None and result == stored:
        return None
    result.version += 1
    result.imported_by = actor
    result.import_time.FromDatetime(now)
    return result


def told(result: pb.Result) -> results_events_pb2.ResultImported | results_events_pb2.ResultWithdrawn:
    """The fact of this version, whichever it is."""
    return told_withdrawn(result) if result.withdrawn_reason else imported(result)


def imported(result: pb.Result) -> results_events_pb2.ResultImported:
    """The fact of this version."""
    return results_events_pb2.ResultImported(
        meta=Meta(aggregate_id=f"result:{result.id}", version=result.version),
        institution=result.institution,
        result_id=result.id,
        instrument=result.instrument,
        instrument_version=result.instrument_version,
        period=result.period,
        stage=result.stage,
        published_index=result.published_index,
        published_predicate=result.published_predicate,
        score=result.score if result.HasField("score") else None,
        values=dict(result.values),
    )


def withdrawn(stored: pb.Result | None, id_: str, reason: str, actor: str, now: datetime) -> pb.Result:
    """The result, taken out; NOT_FOUND where there is none that stands."""
    if stored is None or stored.withdrawn_reason:
        raise not_found("result", id_)
    result = pb.Result()
    result.CopyFrom(stored)
    result.version += 1
    result.withdrawn_reason, result.withdrawn_by = reason, actor
    result.withdraw_time.FromDatetime(now)
    return result


def told_withdrawn(result: pb.Result) -> results_events_pb2.ResultWithdrawn:
    """The fact that it was taken out."""
    return results_events_pb2.ResultWithdrawn(
        meta=Meta(aggregate_id=f"result:{result.id}", version=result.version),
        institution=result.institution,
        result_id=result.id,
        instrument=result.instrument,
        period=result.period,
        stage=result.stage,
        reason=result.withdrawn_reason,
        withdrawn_by=result.withdrawn_by,
    )


def result_id(institution: str, instrument: str, period: str, stage: Stage) -> str:
    """One result an institution, instrument, period and stage."""
    return ":".join([institution, instrument, period, stage_word(stage)])


def difference(published: str, computed: str) -> str:
    """Published less computed, to the digits of both; empty where one is not known."""
    return f"{Decimal(published) - Decimal(computed):f}" if published and computed else ""


def stage_word(stage: Stage) -> str:
    """self_assessment ... publication"""
    return evaluation_pb2.Stage.Name(stage).removeprefix("STAGE_").lower()


def _scored(given: Given) -> Scored:
    return given.scorer.score({item: Decimal(value) for item, value in given.values.items()})


def _index(value: Decimal) -> str:
    """At least two digits, 3.80; more where more were published."""
    exponent = value.normalize().as_tuple().exponent
    return f"{value.quantize(Decimal(1).scaleb(min(-2, int(exponent)))):f}"


def _short(text: str, most: int = _SHOWN) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 1] + "…"
