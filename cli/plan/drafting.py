"""`livinglab plan drafts`: the plan of the least effort to a target, the next best, why each item is in; and options
that `plan draft` has too."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.coaching.v1 import drafting_pb2

Target = Annotated[str, typer.Option("--target", metavar="INDEX", help="The index to plan for, such as 3.0.")]
Due = Annotated[str, typer.Option("--due", metavar="DATE", help="When the actions are due, 2023-01-21.")]
From = Annotated[str, typer.Option("--evaluation", metavar="ID", help="Plan from this evaluation, not the newest.")]
Capacity = Annotated[int, typer.Option("--capacity", min=0, metavar="DAYS", help="Days of work that there are.")]
Budget = Annotated[str, typer.Option("--budget", metavar="RUPIAH", help="What there is to spend; with --day-rate.")]
DayRate = Annotated[str, typer.Option("--day-rate", metavar="RUPIAH", help="What a day of work costs.")]
Start = Annotated[str, typer.Option("--start", metavar="DATE", help="When work begins; today, unless given.")]
Needs = Annotated[
    list[str] | None,
    typer.Option(
        "--needs", metavar="CODE:CODE=LEVEL", help="The first needs the second at that level; several times if need be."
    ),
]


def terms_of(
    capacity: int, budget: str, day_rate: str, start: str, needs: list[str] | None
) -> "drafting_pb2.PlanTerms":
    """What was said on the command line."""
    from livinglab.coaching.v1 import drafting_pb2

    terms = drafting_pb2.PlanTerms(capacity_days=capacity, budget=budget, day_rate=day_rate, start_date=start)
    for one in needs or ():
        indicator, _, rest = one.partition(":")
        needed, _, level = rest.partition("=")
        terms.prerequisites.add(indicator=indicator.strip(), needs=needed.strip(), level=level.strip())
    return terms


def drafts(
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Whose plan; yours, unless named.")
    ] = "",
    target: Target = "",
    due: Due = "",
    evaluation: From = "",
    capacity: Capacity = 0,
    budget: Budget = "",
    day_rate: DayRate = "",
    start: Start = "",
    needs: Needs = None,
    rehearsal: Annotated[str, typer.Option("--rehearsal", metavar="COHORT", help="In this rehearsal.")] = "",
    runners_up: Annotated[int, typer.Option("--runners-up", min=0, max=10, help="How many of the next best.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Show which indicators to raise to which level at the least effort; nothing is stored."""
    from livinglab.coaching.v1 import plan_service_pb2 as pb
    from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub

    from cli.speak import connection

    request = pb.PreviewDraftsRequest(
        institution=connection.own_institution(institution),
        rehearsal=rehearsal,
        evaluation_id=evaluation,
        target=target,
        due_date=due,
        terms=terms_of(capacity, budget, day_rate, start, needs),
        runners_up=runners_up,
    )
    found = connection.call("coaching", PlanServiceStub, "PreviewDrafts", request)
    rows = [_as_dict(one) for one in found.drafts]
    lacks = found.needs
    out_of_reach = {"most_index": lacks.most_index, "effort_days": lacks.effort_days, "days": lacks.days}
    if as_json:
        needed = out_of_reach if found.HasField("needs") else None
        about = {"evaluation": found.evaluation_id, "from_index": found.from_index, "target": found.target}
        print_json({**about, "drafts": rows, "needs": needed})
        return
    if not rows:
        say(sentence("out_of_reach", target=found.target, **out_of_reach))
    columns = ["indicator", "name", "from", "to", "gain", "effort_days", "days", "effort_without"]
    for row in rows:
        title = sentence("draft_title", index=row["to_index"], effort=row["effort_days"])
        lines = [[str(item[key]) for key in columns] for item in row["items"]]
        table(columns, lines, title=title, right=columns[4:])


def _as_dict(found: "drafting_pb2.PlanDraft") -> dict[str, Any]:
    """For programs."""
    return {
        "to_index": found.to_index,
        "effort_days": found.effort_days,
        "cost": found.cost,
        "proven": found.proven,
        "items": [
            {
                "indicator": one.indicator,
                "name": one.indicator_name,
                "from": one.from_value,
                "to": one.to_value,
                "gain": one.gain,
                "effort_days": one.effort_days,
                "days": one.days,
                "needed_by": list(one.needed_by),
                "effort_without": one.effort_without,
            }
            for one in found.items
        ],
    }
