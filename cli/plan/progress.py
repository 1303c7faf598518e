"""`livinglab plan status | impact | print`: reported against proven, what is late, of a plan or a cohort; on paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.plan.commands import PlanId
from cli.plan.editing import call
from cli.plan.history import app
from cli.speak.files import Force, new_file, write_file
from cli.speak.output import AsJson, print_json, say, table
from cli.speak.sentences import sentence

__all__ = ["app"]

if TYPE_CHECKING:
    from livinglab.coaching.v1 import plan_service_pb2

AsOf = Annotated[
    str, typer.Option("--as-of", metavar="DATE", help="As it is at the end of this day; today, unless given.")
]


@app.command()
def status(plan_id: PlanId, as_of: AsOf = "", as_json: AsJson = False) -> None:
    """Show how far a plan is: reported, proven, overdue, stalled, and when it would be done at this pace."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    row = _as_dict(call("GetPlanProgress", pb.GetPlanProgressRequest(plan_id=plan_id, as_of=as_of)).progress)
    if as_json:
        print_json(row)
        return
    say(sentence("plan_status", **{key: row[key] for key in ("plan", "reported", "proven", "actions")}))
    for key in ("overdue", "stalled"):
        if row[key]:
            say(sentence(f"plan_{key}", which=", ".join(row[key])))
    if row["forecast"]:
        say(sentence("plan_forecast", day=row["forecast"]))
    columns = ["date", "reported", "proven"]
    table(columns, [[point[key] for key in columns] for point in row["burn_up"]], right=columns[1:])


@app.command()
def impact(
    cohort_id: Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")],
    as_of: AsOf = "",
    as_json: AsJson = False,
) -> None:
    """Show how far the plans of a cohort are and what came of them."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    found = call("GetCohortProgress", pb.GetCohortProgressRequest(cohort_id=cohort_id, as_of=as_of))
    names = (
        *("plans", "agreed", "on_track", "actions", "reported", "proven"),
        *("gain_per_reported", "gain_per_proven", "cost_per_point", "visits", "visits_followed_up"),
    )
    rows = [_as_dict(one) for one in found.progress]
    if as_json:
        print_json({**{name: getattr(found, name) for name in names}, "progress": rows})
        return
    table(["what", "count"], [[name, str(getattr(found, name))] for name in names], right=["count"])
    columns = ["institution", "state", "actions", "reported", "proven", "overdue", "stalled", "forecast"]
    lines = [{**row, "overdue": len(row["overdue"]), "stalled": len(row["stalled"])} for row in rows]
    table(columns, [[str(line[key]) for key in columns] for line in lines], right=columns[2:])


@app.command("print")
def print_plan(
    plan_id: PlanId,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", callback=new_file, help="Where to: its ending, .pdf or .html, says what is written."
        ),
    ],
    force: Force = False,
) -> None:
    """Write a plan as a document to sign, in Bahasa Indonesia."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb

    formats = {".pdf": pb.PAPER_FORMAT_PDF, ".html": pb.PAPER_FORMAT_HTML}
    if file.suffix.lower() not in formats:
        raise typer.BadParameter("must end with .pdf or .html", param_hint="FILE")
    found = call("ExportPlan", pb.ExportPlanRequest(plan_id=plan_id, format=formats[file.suffix.lower()]))
    write_file(file, found.content, force=force)
    say(sentence("plan_written", file=file.name))


def _as_dict(found: "plan_service_pb2.PlanProgress") -> dict[str, Any]:
    """For programs."""
    from livinglab.coaching.v1 import coaching_pb2

    look = found.checkpoint
    return {
        "plan": found.plan_id,
        "institution": found.institution,
        "state": coaching_pb2.PlanState.Name(found.state).removeprefix("PLAN_STATE_").lower(),
        "as_of": found.as_of,
        "actions": found.actions,
        "reported": found.reported,
        "proven": found.proven,
        "from_index": found.from_index,
        "to_index": found.to_index,
        "reported_index": found.reported_index,
        "proven_index": found.proven_index,
        "overdue": list(found.overdue),
        "stalled": list(found.stalled),
        "on_track": found.on_track,
        "burn_up": [
            {"date": one.date, "reported": one.reported_index, "proven": one.proven_index} for one in found.burn_up
        ],
        "forecast": found.forecast_date,
        "checkpoint": {"date": look.date, "passed": look.passed, "due": look.due, "done": look.done},
        "cost": found.cost,
        "reported_cost": found.reported_cost,
    }
