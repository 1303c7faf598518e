"""What a cohort came to, in figures: attendance, duties, gains, follow-up, cost, targets. Pure; each figure is computed
exactly and rounded once, half up, to two digits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import report_service_pb2 as pb

from instruments import periods
from instruments.rounding import written
from programs import clock
from programs.rules.duties import EVALUATIONS
from services.program.model import closing
from services.program.model.ledger import Ledger, Result
from services.program.service import costs
from services.program.store import documents, views
from services.program.store.ledgers import ledger

# A gain of this much is a leap, and so is a better predicate.
_LEAP = Decimal("0.50")

Row = Mapping[str, Any]
# What participants have done, by institution.
Ledgers = Mapping[str, Ledger]
Results = Mapping[tuple[str, str], Result]


def report(cohort_row: documents.Row, participants: Sequence[Row], now: datetime) -> pb.Report:
    """From the documents of a cohort and its participants. What participants that went to another cohort gain is told
    there; that they came is told here."""
    definition = definition_pb2.Definition.FromString(cohort_row["definition"])
    cohort = views.cohort(cohort_row, participants)
    came = {row["institution"]: ledger(row["ledger"]) for row in participants}
    here = {row["institution"]: came[row["institution"]] for row in participants if not row.get("moved_to")}
    gains = [gain for institution, kept in here.items() for gain in _gains(institution, kept.results)]
    gains.sort(key=lambda gain: (-Decimal(gain.gain), gain.institution, gain.instrument))
    actions, done = sum(k.actions for k in here.values()), sum(k.actions_done for k in here.values())
    lines = costs.lines(documents.costs(cohort_row), cohort, came.values())
    made = pb.Report(
        cohort=cohort,
        phases=[
            _phase(phase, shown, cohort_row["phases"][phase.id], participants, came)
            for phase, shown in zip(definition.phases, cohort.phases, strict=True)
        ],
        gains=gains,
        gained=len({gain.institution for gain in gains}),
        leaps=len({gain.institution for gain in gains if _leapt(gain, here[gain.institution].results)}),
        actions=actions,
        actions_done=done,
        follow_up_share=written(Decimal(done) / actions) if actions else "",
        costs=lines,
        totals=costs.totals(lines),
        targets=[_target(target, _instrument(definition), here) for target in definition.targets],
        made_time=clock.stamp(now),
    )
    # Never one mean across instruments.
    if len({gain.instrument for gain in gains}) == 1:
        made.mean_before = _mean([Decimal(gain.before) for gain in gains])
        made.mean_after = _mean([Decimal(gain.after) for gain in gains])
    return made


def _phase(
    phase: definition_pb2.Phase, shown: cohort_pb2.PhaseProgress, row: Row, participants: Sequence[Row], came: Ledgers
) -> pb.PhaseReport:
    return pb.PhaseReport(
        progress=shown,
        attendance=[_attendance(phase, role, shown, came) for role in phase.invites] if phase.sessions else [],
        duties=_duties(phase, row, participants),
    )


def _attendance(
    phase: definition_pb2.Phase,
    role: options_pb2.Role.ValueType,
    shown: cohort_pb2.PhaseProgress,
    came: Ledgers,
) -> pb.RoleAttendance:
    key = (phase.id, role)
    return pb.RoleAttendance(
        role=role,
        invited=shown.invited,
        attended=sum(1 for kept in came.values() if key in kept.attended),
        delegates=sum(1 for kept in came.values() if key in kept.delegated),
    )


def _duties(phase: definition_pb2.Phase, row: Row, participants: Sequence[Row]) -> list[pb.DutyReport]:
    """Nobody has missed a duty before its phase is over."""
    counts = row.get("closing") or closing.counts(phase, participants, row.get("addressed", ()))
    over = row["state"] == cohort_pb2.PHASE_STATE_CLOSED
    return [
        pb.DutyReport(
            duty=duty.id,
            kind=duty.kind,
            required=duty.required,
            done=kept["done"],
            missed=kept["missed"] if over else 0,
            excused=kept["excused"],
        )
        for duty, kept in zip(phase.duties, counts["duties"], strict=True)
    ]


def _gains(institution: str, results: Results) -> list[pb.Gain]:
    """From the first self-assessment to the last, on each instrument that has two."""
    found = []
    for instrument in sorted({instrument for instrument, _ in results}):
        periods = _periods(results, instrument)
        if len(periods) < 2:
            continue
        first, last = periods[0], periods[-1]
        before, after = (results[instrument, period].index for period in (first, last))
        found.append(
            pb.Gain(
                institution=institution,
                instrument=instrument,
                period_before=first,
                before=written(Decimal(before)),
                period_after=last,
                after=written(Decimal(after)),
                gain=written(Decimal(after) - Decimal(before)),
            )
        )
    return found


def _periods(results: Results, instrument: str) -> list[str]:
    """Periods with an index, oldest first: 2022-1, 2022-2, 2022-10, 2022."""
    known = [period for (on, period), result in results.items() if on == instrument and result.index]
    return sorted(known, key=periods.order)


def _leapt(gain: pb.Gain, results: Results) -> bool:
    before = results[gain.instrument, gain.period_before].predicate
    after = results[gain.instrument, gain.period_after].predicate
    # The predicates of an instrument are in the order of its indices.
    return Decimal(gain.gain) >= _LEAP or (Decimal(gain.gain) > 0 and before != after)


def _instrument(definition: definition_pb2.Definition) -> str:
    """What the program measures with: the instrument of its last assessment."""
    used = [duty.instrument for phase in definition.phases for duty in phase.duties if duty.kind in EVALUATIONS]
    return used[-1] if used else ""


def _target(target: definition_pb2.Target, instrument: str, here: Ledgers) -> pb.TargetReport:
    last = []
    for kept in here.values():
        if periods := _periods(kept.results, instrument):
            last.append(Decimal(kept.results[instrument, periods[-1]].index))
    return pb.TargetReport(
        target=target,
        reached=sum(1 for index in last if index >= Decimal(target.index)),
        assessed=len(last),
        mean=_mean(last) if last else "",
    )


def _mean(values: Sequence[Decimal]) -> str:
    return written(sum(values, Decimal(0)) / len(values))
