"""Crosswalks between instruments: which evidence of an earlier one serves a later one. Scores never cross."""

from collections.abc import Iterable, Mapping

from livinglab.assessment.v1 import evidence_pb2 as pb
from livinglab.assessment.v1 import evidence_service_pb2 as service_pb

from chassis import yaml_message
from chassis.errors import precondition
from services.assessment.model.evidence import MOST_PIECES, Case, find

# The contract's name is a word of the language.
_FROM = "from"


class Crosswalks:
    """Crosswalks by the two instruments that they join."""

    def __init__(self, crosswalks: Iterable[pb.Crosswalk]) -> None:
        self._known = {(getattr(one, _FROM), one.to): one for one in crosswalks}

    def between(self, earlier: str, later: str) -> pb.Crosswalk:
        """FAILED_PRECONDITION where there is none."""
        found = self._known.get((earlier, later))
        if found is None:
            raise precondition("NO_CROSSWALK", f"no crosswalk leads from {earlier} to {later}")
        return found


def load(text: str) -> pb.Crosswalk:
    """The crosswalk that a file writes; ValueError names every fault with its line."""
    parsed = yaml_message.parse(text, pb.Crosswalk)
    faults = [str(fault) for fault in parsed.faults]
    for n, row in enumerate(parsed.message.rows):
        if bool(getattr(row, _FROM)) == (row.status == pb.CROSSWALK_STATUS_NEW):
            faults.append(f"line {parsed.line(f'rows[{n}]')}: {row.to}: new has no counterpart, reuse and update have")
    if faults:
        raise ValueError("; ".join(faults))
    return parsed.message


def carry(
    case: Case,
    crosswalk: pb.Crosswalk,
    earlier: Mapping[str, pb.IndicatorEvidence],
    later: Mapping[str, pb.IndicatorEvidence],
) -> list[service_pb.Carried]:
    """Lays the earlier evidence into `later` (one for each indicator of the crosswalk), as drafts without a level.
    What an assessor asked to revise stays behind. What is there already is only counted."""
    rows = []
    for row in crosswalk.rows:
        sources: list[str] = list(getattr(row, _FROM))
        carried = service_pb.Carried(indicator=row.to, status=row.status, from_indicators=sources)
        for source in sources:
            for piece in earlier[source].pieces if source in earlier else ():
                _carry_piece(case, carried, f"{earlier[source].evaluation_id}:{source}", piece, later[row.to])
        rows.append(carried)
    return rows


def _carry_piece(
    case: Case, carried: service_pb.Carried, origin: str, piece: pb.Piece, shown: pb.IndicatorEvidence
) -> None:
    if piece.state == pb.EVIDENCE_STATE_REVISE or piece.evidence_id in carried.evidence_ids:
        return
    if find(shown, piece.evidence_id, 0) is not None or len(shown.pieces) >= MOST_PIECES:
        carried.unchanged += 1
        return
    new = shown.pieces.add(
        evidence_id=piece.evidence_id,
        pages=piece.pages,
        minutes=piece.minutes,
        state=pb.EVIDENCE_STATE_DRAFT,
        carried_from=origin,
        carried_as=carried.status,
        changed_by=case.actor,
    )
    if carried.status == pb.CROSSWALK_STATUS_UPDATE:
        new.reason = f"to be adapted to {case.instrument.id}"
    new.change_time.FromDatetime(case.now)
    carried.evidence_ids.append(piece.evidence_id)
