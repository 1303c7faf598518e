"""Working together: indicators in the care of agencies (OPD), and what to do next."""

from datetime import date, datetime
from fractions import Fraction

from livinglab.assessment.v1 import evaluation_pb2, events_pb2, instrument_pb2, understanding_pb2

from chassis.errors import Violation, invalid, precondition
from instruments.lint import leaves
from instruments.rounding import written
from instruments.scoring import Scorer
from instruments.tree import indicator_of
from services.assessment.model import cycle
from services.assessment.model.cycle import Outcome
from services.assessment.model.what_if import complete

_HALVED_AFTER = 30  # days
_WITHOUT_DUE_DATE = 90  # days


def delegate(
    evaluation: evaluation_pb2.Evaluation,
    request: understanding_pb2.DelegateIndicatorsRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """One agency an indicator; without an agency it comes back."""
    cycle.require_current(evaluation, request.etag)
    cycle.require_unpublished(evaluation)
    _require_known(request, scorer)
    kept = {one.indicator: one for one in evaluation.delegations}
    items = {}
    for one in request.delegations:
        before = kept.pop(one.indicator, None)
        items[one.indicator] = (_named(before), _named(one))
        if one.agency:
            kept[one.indicator] = one
    ordered = [kept[code] for code in scorer.ordered(kept)]
    del evaluation.delegations[:]
    evaluation.delegations.extend(ordered)
    cycle.advance(evaluation)
    fact = events_pb2.IndicatorsDelegated(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        delegations=request.delegations,
    )
    return Outcome((fact,), cycle.change(evaluation, "delegated", items, actor, now, request.reason))


def queue(
    evaluation: evaluation_pb2.Evaluation,
    instrument: instrument_pb2.Instrument,
    scorer: Scorer,
    agency: str,
    today: date,
) -> list[understanding_pb2.WorkItem]:
    """Unanswered indicators first, then the answered ones; each part by gain times nearness of the due date. What
    another institution has to say is work of nobody here, unless it was given to an agency."""
    if evaluation.stage != evaluation_pb2.STAGE_SELF_ASSESSMENT or (
        evaluation.state != evaluation_pb2.EVALUATION_STATE_OPEN
    ):
        raise precondition("NOTHING_TO_DO", f"the self-assessment of {evaluation.id} is submitted")
    values = cycle.values_of(evaluation)
    scorer = scorer.without(cycle.absent_of(evaluation, values))
    gains = scorer.marginal(complete(values, scorer)[0])
    names = {node.number: node.name for node in leaves(list(instrument.nodes))}
    awaited = {node.number: bool(node.awaited_from) for node in leaves(list(instrument.nodes))}
    care = {one.indicator: one for one in evaluation.delegations}
    found = []
    for place, (item, gain) in enumerate(gains.items()):
        # Instances of an indicator are in the care of whoever has it.
        indicator = indicator_of(item, names)
        delegation = care.get(indicator)
        if agency and (delegation is None or delegation.agency != agency):
            continue
        if delegation is None and awaited[indicator]:
            continue
        due = date.fromisoformat(delegation.due_date) if delegation and delegation.due_date else None
        points = gain.step if item in values else gain.top
        priority = points * _nearness(due, today)
        if item in values and not points:
            continue
        work = understanding_pb2.WorkItem(
            indicator=item,
            name=names[indicator],
            value=values.get(item, ""),
            agency=delegation.agency if delegation else "",
            due_date=due.isoformat() if due else "",
            overdue=due is not None and due < today,
            gain=written(points, 6),
            priority=written(priority, 6),
        )
        found.append(((item in values, -priority, place), work))
    return [work for _, work in sorted(found, key=lambda pair: pair[0])]


def _nearness(due: date | None, today: date) -> Fraction:
    """1 on the day and after it, a half thirty days before it."""
    days = max((due - today).days, 0) if due else _WITHOUT_DUE_DATE
    return Fraction(_HALVED_AFTER, _HALVED_AFTER + days)


def _require_known(request: understanding_pb2.DelegateIndicatorsRequest, scorer: Scorer) -> None:
    seen: set[str] = set()
    faults = []
    for i, one in enumerate(request.delegations):
        if one.indicator not in scorer.indicators:
            faults.append(Violation(f"delegations[{i}].indicator", f"{one.indicator} is no indicator here"))
        if one.indicator in seen:
            faults.append(Violation(f"delegations[{i}].indicator", f"{one.indicator} is named twice"))
        if one.due_date and not one.agency:
            faults.append(Violation(f"delegations[{i}].due_date", "is for an agency, and none is named"))
        seen.add(one.indicator)
    if faults:
        raise invalid(faults)


def _named(delegation: evaluation_pb2.Delegation | None) -> str:
    if delegation is None or not delegation.agency:
        return ""
    return f"{delegation.agency} until {delegation.due_date}" if delegation.due_date else delegation.agency
