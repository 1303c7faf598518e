"""What a rehearsal shows: progress while it runs, results and invariants at its end."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal

from livinglab.benchmark.v1 import service_pb2 as benchmark
from livinglab.coaching.v1 import coaching_pb2, minutes_pb2
from livinglab.coaching.v1 import minutes_service_pb2 as minutes
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2, definition_pb2
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from stack.rehearsal.invariants import Finding
from stack.rehearsal.stage import Stage

_WHOSE = {"region": "each region", "mean": "the mean"}
_PLAN_STATES = {
    coaching_pb2.PLAN_STATE_DRAFT: "drafted",
    coaching_pb2.PLAN_STATE_SUBMITTED: "with the coach",
    coaching_pb2.PLAN_STATE_RETURNED: "sent back",
    coaching_pb2.PLAN_STATE_APPROVED: "approved",
    coaching_pb2.PLAN_STATE_IN_PROGRESS: "in progress",
    coaching_pb2.PLAN_STATE_DONE: "done",
    coaching_pb2.PLAN_STATE_DROPPED: "dropped",
}


def console(*, aside: bool = False) -> Console:
    """Standard output, or `aside` standard error, wide enough where nobody's terminal sets the width."""
    file = sys.stderr if aside else sys.stdout
    out = Console(file=file, highlight=False)
    return out if out.is_terminal else Console(file=file, highlight=False, width=120)


class Live:
    """A bar for each phase; where standard output is no terminal, a line for each change of state."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._bars = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:>3.0f} of {task.total:>3.0f} done"),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=out,
            disable=not out.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._states: dict[str, int] = {}

    def __enter__(self) -> "Live":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, cohort: cohort_pb2.Cohort) -> None:
        """The cohort as it is now."""
        for phase in cohort.phases:
            state = cohort_pb2.PhaseState.Name(phase.state).removeprefix("PHASE_STATE_").lower()
            if phase.phase not in self._tasks:
                self._tasks[phase.phase] = self._bars.add_task(phase.title, start=False, total=0, state=state)
            task = self._tasks[phase.phase]
            if phase.state == cohort_pb2.PHASE_STATE_OPEN and self._states.get(phase.phase) != phase.state:
                self._bars.start_task(task)
            if phase.state == cohort_pb2.PHASE_STATE_CLOSED:
                self._bars.stop_task(task)
            self._bars.update(task, completed=phase.done, total=phase.invited, state=state)
            if self._states.get(phase.phase) != phase.state and not self._out.is_terminal:
                self._out.print(f"  {phase.title}: {state}, {phase.done} of {phase.invited} done")
            self._states[phase.phase] = phase.state


async def results(
    out: Console, stage: Stage, definition: definition_pb2.Definition, cohort: cohort_pb2.Cohort, names: dict[str, str]
) -> None:
    """Phases, the race, means before and after beside the program's own targets, plans and messages."""
    _phases(out, definition, cohort)
    evaluated = [d for phase in definition.phases for d in phase.duties if d.period]
    if evaluated:
        before, after = evaluated[0], evaluated[-1]
        race = benchmark.Race(instrument=after.instrument, period=after.period, rehearsal=cohort.id)
        earlier = benchmark.Race(instrument=before.instrument, period=before.period, rehearsal=cohort.id)
        await _race(out, stage, race, before.period, definition.role_model, names)
        races = {"before": earlier, "after": race} if race != earlier else {"now": race}
        await _means(out, stage, races, definition.targets)
    await _plans_and_messages(out, stage, cohort)


def _phases(out: Console, definition: definition_pb2.Definition, cohort: cohort_pb2.Cohort) -> None:
    table = Table(title=f"{cohort.title} (rehearsal)", title_justify="left")
    for column in ("phase", "invited", "done", "what it produced", "seconds"):
        table.add_column(column, justify="right" if column in ("invited", "done", "seconds") else "left")
    duties = {duty.id: duty for phase in definition.phases for duty in phase.duties}
    for phase in cohort.phases:
        produced = ", ".join(f"{_deed(duties[duty])} {count}" for duty, count in sorted(phase.duties.items()))
        took = phase.close_time.ToDatetime(UTC) - phase.open_time.ToDatetime(UTC)
        extended = " (deadline extended once)" if phase.extended else ""
        table.add_row(
            phase.title, str(phase.invited), str(phase.done), produced + extended, f"{took.total_seconds():.0f}"
        )
    out.print(table)
    out.print(
        f"  {cohort.participants} participants: {cohort.graduated} graduated, {cohort.withdrawn} withdrawn, "
        f"{cohort.failed} failed\n"
    )


def _deed(duty: definition_pb2.Duty) -> str:
    return {
        definition_pb2.DUTY_KIND_ATTEND: "attended",
        definition_pb2.DUTY_KIND_SELF_ASSESS: "self-assessed",
        definition_pb2.DUTY_KIND_PLAN_APPROVED: "plans approved",
        definition_pb2.DUTY_KIND_SIGN_COMMITMENT: "signed",
        definition_pb2.DUTY_KIND_FOLLOW_UP: "followed up",
        definition_pb2.DUTY_KIND_REASSESS: "re-assessed",
    }.get(duty.kind, duty.id)


async def _race(
    out: Console, stage: Stage, race: benchmark.Race, since: str, role_model: str, names: dict[str, str]
) -> None:
    request = benchmark.GetRankingRequest(race=race, since_period=since)
    pages = await stage.pages(stage.benchmark().GetRanking, request, stage.as_role("manager"))
    rows = [row for page in pages for row in page.rows]
    top = list(rows[:10])
    model = [row for row in rows if row.institution == role_model and row not in top]
    _ranking(out, f"The race of {race.period}: top ten and the role model", [*top, *model], names, role_model)
    leaps = sorted((row for row in rows if row.gain), key=lambda row: (-Decimal(row.gain), row.institution))[:5]
    _ranking(out, f"Biggest leaps since {since}", leaps, names, role_model)


def _ranking(
    out: Console, title: str, rows: Iterable[benchmark.RankingRow], names: dict[str, str], role_model: str
) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("rank", "region", "index", "predicate", "gain", "places"):
        table.add_column(column, justify="left" if column in ("region", "predicate") else "right")
    for row in rows:
        name = names.get(row.institution, row.institution)
        shown = f"{name} (role model)" if row.institution == role_model else name
        places = f"{row.movement:+d}" if row.HasField("movement") else ""
        table.add_row(str(row.rank), shown, row.index, row.predicate, row.gain and f"+{row.gain}", places)
    out.print(table)


async def _means(
    out: Console, stage: Stage, races: Mapping[str, benchmark.Race], targets: Sequence[definition_pb2.Target]
) -> None:
    levels = sorted({target.index for target in targets}, key=Decimal)
    table = Table(title="Mean index", title_justify="left")
    for column in ("period", "regions", "mean", *(f"at {level} or more" for level in levels)):
        table.add_column(column, justify="right")
    for when, race in races.items():
        request = benchmark.GetAggregateRequest(race=race, targets=levels)
        found = await stage.benchmark().GetAggregate(request, metadata=stage.as_role("manager"))
        shares = (f"{target.reached} of {found.count}" for target in found.targets)
        table.add_row(f"{when} ({race.period})", str(found.count), found.mean, *shares)
    out.print(table)
    if told := ", ".join(f"{t.index} for {_WHOSE.get(t.scope, t.scope)} in {t.year}" for t in targets):
        out.print(f"  targets: {told}\n")


async def _plans_and_messages(out: Console, stage: Stage, cohort: cohort_pb2.Cohort) -> None:
    request = coaching.ListPlansRequest(cohort_id=cohort.id)
    pages = await stage.pages(stage.coaching().ListPlans, request, stage.as_role("manager"))
    plans = [plan for page in pages for plan in page.plans]
    by_state = Counter(_PLAN_STATES.get(plan.state, "unknown") for plan in plans)
    actions = [a for plan in plans for a in plan.actions if a.state != coaching_pb2.ACTION_STATE_DROPPED]
    done, proven = (
        sum(a.state == coaching_pb2.ACTION_STATE_DONE for a in actions),
        sum(bool(a.proven_value) for a in actions),
    )
    told = ", ".join(f"{count} {state}" for state, count in sorted(by_state.items()))
    out.print(f"  plans: {told or 'none'}; actions: {done} of {len(actions)} done")
    out.print(f"  reported with evidence: {done}; proven by a verified level: {proven}")
    await _sessions(out, stage, plans)
    counts = await stage.notify().CountMessages(
        notify.CountMessagesRequest(cohort_id=cohort.id), metadata=stage.as_role("manager")
    )
    by_template: dict[str, Counter[str]] = {}
    for row in counts.counts:
        state = notify.MessageState.Name(row.state).removeprefix("MESSAGE_STATE_").lower()
        by_template.setdefault(state, Counter())[row.template] += row.count
    for state, templates in sorted(by_template.items()):
        parts = ", ".join(f"{count} {template}" for template, count in sorted(templates.items()))
        out.print(f"  messages {state}: {templates.total()} ({parts})")
    out.print()


async def _sessions(out: Console, stage: Stage, plans: Sequence[coaching_pb2.Plan]) -> None:
    """What coaches and regions talked about, agreed on and thought of it."""
    manager, stub = stage.as_role("manager"), stage.minutes()
    held: list[minutes_pb2.Minutes] = []
    for plan in plans:
        request = minutes.ListMinutesRequest(cohort_id=plan.cohort_id, institution=plan.institution)
        held += [one for page in await stage.pages(stub.ListMinutes, request, manager) for one in page.minutes]
    written = [one for one in held if one.notes]
    steps = [step for one in held for step in one.next_steps]
    told = sum(len(one.feedback) for one in held)
    done = sum(bool(step.done_by) for step in steps)
    if held:
        out.print(f"  sessions: {len(written)} with minutes; agreed steps: {len(steps)}, done {done}; feedback: {told}")


def invariants(out: Console, findings: Sequence[Finding]) -> None:
    """Each invariant with what was found."""
    table = Table(title="What must hold", title_justify="left")
    for column in ("", "invariant", "found"):
        table.add_column(column)
    for finding in findings:
        table.add_row("ok" if finding.holds else "BROKEN", finding.what, finding.found)
    out.print(table)
