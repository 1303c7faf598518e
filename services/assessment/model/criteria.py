"""Which criteria an answer claims to meet, what it still needs for that, and what looks doubtful before it is handed
in."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal

from livinglab.assessment.v1 import evaluation_pb2, evidence_pb2, guidance_pb2, instrument_pb2

from chassis.errors import Violation, invalid
from instruments.guidance import Guides
from instruments.periods import out_of_force
from instruments.scoring import Scorer
from services.assessment.model import cycle

LADDER, EVIDENCE, YEARS = "LADDER", "EVIDENCE", "YEARS"

# Pieces of evidence by indicator.
Shown = Mapping[str, evidence_pb2.IndicatorEvidence]


def evidence_ids(answers: Iterable[evaluation_pb2.Answer]) -> set[str]:
    """The evidence that answers name for their criteria."""
    return {one for answer in answers for met in answer.met for one in met.evidence}


def require_criteria(answers: Iterable[evaluation_pb2.Answer], guides: Guides, evidence: Collection[str]) -> None:
    """Each names criteria of its indicator, once, and evidence of the institution: `evidence` holds what of it there
    is. INVALID_ARGUMENT names every fault."""
    faults = []
    for i, answer in enumerate(answers):
        if answer.forget_met and answer.met:
            faults.append(Violation(f"answers[{i}].forget_met", "and criteria that are met exclude each other"))
        guide = guides.of(answer.indicator) if answer.met else None
        known: Collection[str] = guide.criteria if guide else ()
        seen: set[str] = set()
        for k, met in enumerate(answer.met):
            place = f"answers[{i}].met[{k}]"
            if met.criterion in seen:
                faults.append(Violation(f"{place}.criterion", f"{met.criterion} is named twice"))
            elif met.criterion not in known:
                there = f"; there are {', '.join(known)}" if known else ": nobody has written criteria for it"
                reason = f"{met.criterion} is no criterion of indicator {answer.indicator}{there}"
                faults.append(Violation(f"{place}.criterion", reason))
            seen.add(met.criterion)
            for n, one in enumerate(met.evidence):
                if one not in evidence:
                    faults.append(Violation(f"{place}.evidence[{n}]", f"{one} is no evidence of this institution"))
    if faults:
        raise invalid(faults)


def needs(
    evaluation: evaluation_pb2.Evaluation,
    values: Mapping[str, str],
    scorer: Scorer,
    guides: Guides,
    shown: Shown,
    only: Collection[str] = (),
) -> list[guidance_pb2.IndicatorNeeds]:
    """What each indicator needs for its next level, answered or not, in the instrument's order."""
    answers = {answer.indicator: answer for answer in evaluation.answers}
    items = scorer.ordered(({*scorer.indicators, *values} if not only else set(only)) - cycle.absent_of(evaluation))
    return [_needs(item, values.get(item, ""), answers.get(item), guides, shown) for item in items]


def _needs(
    item: str, value: str, answer: evaluation_pb2.Answer | None, guides: Guides, shown: Shown
) -> guidance_pb2.IndicatorNeeds:
    met = {one.criterion for one in answer.met} if answer else set()
    named = evidence_ids([answer]) if answer else set()
    attached = {piece.evidence_id for piece in shown[item].pieces} if item in shown else set()
    return guides.needs(item, value, met, len(named | attached))


def warnings(found: Iterable[guidance_pb2.IndicatorNeeds], guides: Guides) -> Iterator[evidence_pb2.RuleWarning]:
    """What is doubtful about answers and refused by nobody: a level without evidence from the middle of the scale on,
    and one whose criteria are not all met."""
    for one in found:
        if not one.value or guides.awaited(one.indicator):
            continue
        level = int(Decimal(one.value))
        if one.unmet:
            lacking = ", ".join(need.criterion for need in one.unmet)
            message = f"level {one.value} is answered, but {lacking} not met: what is met makes level {one.reached}"
            yield evidence_pb2.RuleWarning(rule=LADDER, indicator=one.indicator, level=level, message=message)
        if not one.evidence and guides.asks_for_evidence(one.value):
            message = f"level {one.value} is answered without any evidence"
            yield evidence_pb2.RuleWarning(rule=EVIDENCE, indicator=one.indicator, level=level, message=message)


def out_of_years(instrument: instrument_pb2.Instrument, period: str) -> Iterator[evidence_pb2.RuleWarning]:
    """That the instrument was not in force in the period's year."""
    if message := out_of_force(instrument, period):
        yield evidence_pb2.RuleWarning(rule=YEARS, message=message)
