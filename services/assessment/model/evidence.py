"""Rules of evidence: what a file may be shown for, what assessors may say of it. Decisions return facts."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from livinglab.assessment.v1 import evaluation_pb2, evidence_events_pb2, instrument_pb2
from livinglab.assessment.v1 import evidence_pb2 as pb
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, Violation, conflict, invalid, not_found, precondition
from services.assessment.model import cycle

MOST_PIECES = 100
LADDER, AGE = "LADDER", "AGE"

_PAGES = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(, ?[0-9]{1,5}(-[0-9]{1,5})?)*")
_MINUTES = re.compile(r"[0-9]{1,3}(:[0-5][0-9]){1,2}(-[0-9]{1,3}(:[0-5][0-9]){1,2})?(, ?[0-9]{1,3}(:[0-5][0-9]){1,2})*")
_OPEN_STATES = frozenset({pb.EVIDENCE_STATE_DRAFT, pb.EVIDENCE_STATE_REVISE})
# A piece in one of these stands for its indicator: handed in, and not sent back.
STANDING = (pb.EVIDENCE_STATE_IN_PROCESS, pb.EVIDENCE_STATE_ACCEPTED)
# Furthest from accepted first.
_WORST_FIRST = (
    pb.EVIDENCE_STATE_REVISE,
    pb.EVIDENCE_STATE_REJECTED_LOWER_LEVEL,
    pb.EVIDENCE_STATE_DRAFT,
    pb.EVIDENCE_STATE_IN_PROCESS,
    pb.EVIDENCE_STATE_ACCEPTED,
)


@dataclass(frozen=True)
class Case:
    """What a decision on evidence rests on: the evaluation, its instrument, who decides and when."""

    evaluation: evaluation_pb2.Evaluation
    instrument: instrument_pb2.Instrument
    actor: str
    now: datetime

    @property
    def day(self) -> date:
        """The day that ages count to: today, but for an evaluation of the past no later than its year's end."""
        return min(cycle.today(self.now), date(int(self.evaluation.period[:4]), 12, 31))

    def changed(
        self, shown: pb.IndicatorEvidence, carried_from: str = ""
    ) -> evidence_events_pb2.IndicatorEvidenceChanged:
        """The fact that the institution changed the evidence of an indicator."""
        settle(shown)
        return evidence_events_pb2.IndicatorEvidenceChanged(
            meta=self.meta(shown),
            institution=self.evaluation.institution,
            evaluation_id=shown.evaluation_id,
            indicator=shown.indicator,
            state=shown.state,
            pieces=len(shown.pieces),
            carried_from_evaluation_id=carried_from,
        )

    def meta(self, shown: pb.IndicatorEvidence) -> Meta:
        """Of the evidence of one indicator: an aggregate of its own."""
        return Meta(
            aggregate_id=f"evidence:{shown.evaluation_id}:{shown.indicator}",
            version=int(shown.etag),
            cohort_id=self.evaluation.cohort_id,
            rehearsal=self.evaluation.rehearsal,
        )


def coverage(case: Case, indicators: int, version: int) -> evidence_events_pb2.EvidenceCoverageChanged:
    """The fact that evidence stands for another number of indicators; `version` counts such facts of an evaluation."""
    evaluation = case.evaluation
    return evidence_events_pb2.EvidenceCoverageChanged(
        meta=Meta(
            aggregate_id=f"evidence-coverage:{evaluation.id}",
            version=version,
            cohort_id=evaluation.cohort_id,
            rehearsal=evaluation.rehearsal,
        ),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        instrument=evaluation.instrument,
        instrument_version=evaluation.instrument_version,
        period=evaluation.period,
        indicators_with_evidence=indicators,
    )


def require_unfrozen(evaluation: evaluation_pb2.Evaluation) -> None:
    """FAILED_PRECONDITION once the evaluation is published."""
    if evaluation.state == evaluation_pb2.EVALUATION_STATE_PUBLISHED:
        raise precondition("PUBLISHED", f"evaluation {evaluation.id} is published: its evidence stands")


def require_references(case: Case, level: int, pages: str, minutes: str) -> None:
    """INVALID_ARGUMENT for a level off the scale and for places that cannot be found."""
    scale, faults = case.instrument.scale, []
    if level and not Decimal(scale.min) <= level <= Decimal(scale.max):
        faults.append(Violation("level", f"{level} is outside the scale, {scale.min} to {scale.max}"))
    if pages and not _PAGES.fullmatch(pages):
        faults.append(Violation("pages", "must be pages such as 3, 5-7"))
    if minutes and not _MINUTES.fullmatch(minutes):
        faults.append(Violation("minutes", "must be minutes such as 12:30-14:05 or 1:02:00"))
    if faults:
        raise invalid(faults)


def attach(
    case: Case, shown: pb.IndicatorEvidence, piece: pb.Piece, earlier: Collection[str] = ()
) -> evidence_events_pb2.IndicatorEvidenceChanged:
    """Lays the piece beside the others as a draft, or in the place of the same file for the same level; also in that of
    one of its `earlier` revisions that no assessor holds."""
    known = find(shown, piece.evidence_id, piece.level)
    if known is None:
        open_ones = (one for one in shown.pieces if one.level == piece.level and one.state in _OPEN_STATES)
        known = next((one for one in open_ones if one.evidence_id in earlier), None)
    if known is not None and known.state not in _OPEN_STATES:
        raise precondition("NOT_OPEN", f"{_named(shown, known)} is with the assessors: {_state_word(known.state)}")
    if known is None and len(shown.pieces) >= MOST_PIECES:
        raise precondition("TOO_MANY_PIECES", f"indicator {shown.indicator} has {MOST_PIECES} pieces of evidence")
    _mark(case, piece, pb.EVIDENCE_STATE_DRAFT, piece.reason)
    if known is None:
        shown.pieces.append(piece)
    else:
        known.CopyFrom(piece)
    return case.changed(shown)


def detach(
    case: Case, shown: pb.IndicatorEvidence, evidence_id: str, level: int
) -> evidence_events_pb2.IndicatorEvidenceChanged:
    """Takes a piece away that no assessor has accepted."""
    known = _get(shown, evidence_id, level)
    if known.state == pb.EVIDENCE_STATE_ACCEPTED:
        raise precondition("ACCEPTED", f"{_named(shown, known)} is accepted: it stays")
    shown.pieces.remove(known)
    return case.changed(shown)


def hand_in(case: Case, shown: pb.IndicatorEvidence) -> evidence_events_pb2.IndicatorEvidenceChanged | None:
    """Drafts go to the assessors; None where there is none."""
    drafts = [piece for piece in shown.pieces if piece.state == pb.EVIDENCE_STATE_DRAFT]
    for piece in drafts:
        _mark(case, piece, pb.EVIDENCE_STATE_IN_PROCESS, piece.reason)
    return case.changed(shown) if drafts else None


def warnings(case: Case, shown: pb.IndicatorEvidence, level: int, dated: str) -> Iterator[pb.RuleWarning]:
    """What the rules would have against accepting evidence for the level as things stand."""
    below = [n for n in _ladder(case, level) if not any(piece.level == n for piece in shown.pieces)]
    if below:
        message = f"level {level} needs every level below it: nothing is shown for level {_listed(below)}"
        yield pb.RuleWarning(rule=LADDER, indicator=shown.indicator, level=level, message=message)
    stale = _stale(case, level, dated)
    if stale:
        yield pb.RuleWarning(rule=AGE, indicator=shown.indicator, level=level, message=stale)


def review(
    case: Case, shown: pb.IndicatorEvidence, found: pb.Piece, etag: str, dated: str
) -> evidence_events_pb2.EvidenceReviewed:
    """An assessor's finding on one piece, and what it makes of the levels above. `found` names it by evidence and
    level and carries the new state and its reason."""
    if etag and etag != shown.etag:
        raise conflict("evidence of indicator", shown.indicator)
    piece = _get(shown, found.evidence_id, found.level)
    if piece.state == pb.EVIDENCE_STATE_DRAFT:
        raise precondition("NOT_HANDED_IN", f"{_named(shown, piece)} is a draft")
    if found.state == pb.EVIDENCE_STATE_ACCEPTED:
        _require_rules(case, shown, piece, dated)
    _mark(case, piece, found.state, found.reason)
    _follow_up(case, shown)
    settle(shown)
    return evidence_events_pb2.EvidenceReviewed(
        meta=case.meta(shown),
        institution=case.evaluation.institution,
        evaluation_id=shown.evaluation_id,
        indicator=shown.indicator,
        evidence_id=piece.evidence_id,
        level=piece.level,
        piece_state=piece.state,
        reason=piece.reason,
        state=shown.state,
    )


def settle(shown: pb.IndicatorEvidence) -> None:
    """The state of the whole from those of its pieces, and the next version."""
    shown.state = state_of(shown.pieces)
    shown.etag = str(int(shown.etag or 0) + 1)


def state_of(pieces: Iterable[pb.Piece]) -> pb.EvidenceState.ValueType:
    """The state furthest from accepted; MISSING without pieces."""
    states = {piece.state for piece in pieces}
    return next((state for state in _WORST_FIRST if state in states), pb.EVIDENCE_STATE_MISSING)


def find(shown: pb.IndicatorEvidence, evidence_id: str, level: int) -> pb.Piece | None:
    """The piece of that file for that level."""
    return next((p for p in shown.pieces if (p.evidence_id, p.level) == (evidence_id, level)), None)


def _require_rules(case: Case, shown: pb.IndicatorEvidence, piece: pb.Piece, dated: str) -> None:
    below = [n for n in _ladder(case, piece.level) if not _accepted(shown, n)]
    if below:
        raise precondition(LADDER, f"rule LADDER: level {piece.level} needs level {_listed(below)} accepted first")
    stale = _stale(case, piece.level, dated)
    if stale:
        raise precondition(AGE, f"rule AGE: {stale}")


def _follow_up(case: Case, shown: pb.IndicatorEvidence) -> None:
    """Levels above one that is not accepted fall with it, and wait again once it is."""
    for piece in sorted(shown.pieces, key=lambda piece: piece.level):
        below = [n for n in _ladder(case, piece.level) if not _accepted(shown, n)]
        if below and piece.state == pb.EVIDENCE_STATE_ACCEPTED:
            reason = f"level {_listed(below)} is not accepted"
            _mark(case, piece, pb.EVIDENCE_STATE_REJECTED_LOWER_LEVEL, reason)
        elif not below and piece.state == pb.EVIDENCE_STATE_REJECTED_LOWER_LEVEL:
            _mark(case, piece, pb.EVIDENCE_STATE_IN_PROCESS, "")


def _ladder(case: Case, level: int) -> Iterable[int]:
    """The levels that must be there for this one. The lowest of the scale is where everybody stands: it needs none."""
    lowest = int(Decimal(case.instrument.scale.min))
    return range(lowest + 1, level) if case.instrument.evidence.ladder else ()


def _accepted(shown: pb.IndicatorEvidence, level: int) -> bool:
    return any(piece.level == level and piece.state == pb.EVIDENCE_STATE_ACCEPTED for piece in shown.pieces)


def _stale(case: Case, level: int, dated: str) -> str:
    """Why the document is too old for its level; empty where it is not."""
    day = date.fromisoformat(dated)
    for rule in case.instrument.evidence.fresh:
        if rule.level == level and _years_later(day, rule.younger_than_years) <= case.day:
            limit = f"less than {rule.younger_than_years} years old on {case.day}"
            return f"evidence for level {level} must be {limit}, this is of {day}"
    return ""


def _years_later(day: date, years: int) -> date:
    """The same day that many years later, 1 March for 29 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _mark(case: Case, piece: pb.Piece, state: pb.EvidenceState.ValueType, reason: str) -> None:
    piece.state, piece.reason, piece.changed_by = state, reason, case.actor
    piece.change_time.FromDatetime(case.now.astimezone(UTC))


def _get(shown: pb.IndicatorEvidence, evidence_id: str, level: int) -> pb.Piece:
    known = find(shown, evidence_id, level)
    if known is None:
        raise _no_piece(shown, evidence_id, level)
    return known


def _no_piece(shown: pb.IndicatorEvidence, evidence_id: str, level: int) -> Refused:
    return not_found("piece of evidence", f"{evidence_id} for level {level} of indicator {shown.indicator}")


def _named(shown: pb.IndicatorEvidence, piece: pb.Piece) -> str:
    return f"evidence {piece.evidence_id} for level {piece.level} of indicator {shown.indicator}"


def _state_word(state: pb.EvidenceState.ValueType) -> str:
    return pb.EvidenceState.Name(state).removeprefix("EVIDENCE_STATE_").lower().replace("_", " ")


def _listed(levels: Iterable[int]) -> str:
    return ", ".join(map(str, levels))
