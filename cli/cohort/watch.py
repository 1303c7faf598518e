"""`livinglab cohort watch`: a cohort as it moves, with who blocks which gate and since when."""

import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cli.cohort import view
from cli.speak.known import name_of
from cli.speak.language import word
from cli.speak.output import AsJson
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2
    from rich.console import RenderableType

# A phase's blockers that are shown; the rest are counted.
_SHOWN = 8


def watch(cohort_id: view.CohortId, as_json: AsJson = False) -> None:
    """Follow a cohort until it has ended; with --json a line for each change."""
    from cli.speak import connection

    connection.run(_follow(cohort_id, as_json))


async def _follow(cohort_id: str, as_json: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
    if as_json:
        async for cohort in _changes(cohort_id):
            sys.stdout.write(json.dumps(view.as_dict(cohort), ensure_ascii=False) + "\n")
            sys.stdout.flush()
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            async for cohort in _changes(cohort_id):
                live.update(picture(cohort, datetime.now(UTC)), refresh=True)
    else:
        async for cohort in _changes(cohort_id):
            console.print(picture(cohort, datetime.now(UTC)))


async def _changes(cohort_id: str) -> "AsyncIterator[cohort_pb2.Cohort]":
    from livinglab.program.v1 import service_pb2 as pb
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from cli.speak import connection

    async with connection.connected("program", ProgramServiceStub) as program:
        stub: Any = program
        async for change in stub.WatchCohort(pb.WatchCohortRequest(cohort_id=cohort_id)):
            yield change.cohort


def picture(cohort: "cohort_pb2.Cohort", now: datetime) -> "RenderableType":
    """A cohort for a terminal of 80 columns: a line a phase, below it who blocks it, longest first."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    phases = Table(title=Text(view.title(cohort)), title_justify="left", box=None, pad_edge=False)
    for column in ("phase", "state", "closes"):
        phases.add_column(word(column), no_wrap=column != "phase")
    for column in ("done", "of", "waits for"):
        phases.add_column(word(column), justify="right", no_wrap=True)
    for p in cohort.phases:
        cells = [view.phase_title(p), word(view.phase_state(p)), view.closing(cohort, p), str(p.done), str(p.invited)]
        phases.add_row(*map(Text, [*cells, str(p.blocking or "")]))
    parts: list[RenderableType] = [phases]
    parts += [_blockers(p, now, cohort) for p in cohort.phases if p.blocking]
    parts += [Text(line) for line in view.notes(cohort, blocked=False)]
    return Group(*parts)


def _blockers(p: "cohort_pb2.PhaseProgress", now: datetime, cohort: "cohort_pb2.Cohort") -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        title=Text(f"\n{sentence('waits_for', phase=view.phase_title(p))}"),
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    titles = view.duty_titles(cohort)
    for column in ("institution", "since", "lacks"):
        grid.add_column(word(column))
    for blocker in p.blockers[:_SHOWN]:
        since = f"{view.local_time(blocker.since_time, cohort.time_zone)} ({ago(now, blocker.since_time)})"
        lacks = "; ".join(titles.get(duty, duty) for duty in blocker.missing)
        grid.add_row(*map(Text, [name_of(blocker.institution), since, lacks]))
    if p.blocking > _SHOWN:
        grid.add_row(Text(sentence("more", count=p.blocking - min(_SHOWN, len(p.blockers)))))
    return grid


def ago(now: datetime, stamp: Any) -> str:
    """3 d, 5 h, 12 min: how long something has been so."""
    passed = max(now - stamp.ToDatetime(tzinfo=UTC), timedelta(0))
    if passed.days:
        return f"{passed.days} d"
    hours, rest = divmod(passed.seconds, 3600)
    return f"{hours} h" if hours else f"{rest // 60} min"
