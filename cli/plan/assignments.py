"""`livinglab coach assign-all`, `replace` and `regions`: coaches for a whole cohort, and what a coach looks after."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from livinglab.coaching.v1 import assignment_pb2
    from livinglab.program.v1 import cohort_pb2

CohortId = Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")]
OfRehearsal = Annotated[bool, typer.Option("--rehearsal", help="The cohort is a rehearsal.")]


def add_to(app: typer.Typer) -> None:
    """Its commands among those of `livinglab coach`."""
    app.command("assign-all")(assign_all)
    app.command("replace")(replace)
    app.command("regions")(regions)


def assign_all(
    cohort_id: CohortId,
    institution: Annotated[
        list[str] | None,
        typer.Option(
            "--institution", metavar="CODE", parser=as_code, help="These; else all who still take part; several times."
        ),
    ] = None,
    choose: Annotated[
        list[str] | None, typer.Option("--choose", metavar="CODE=COACH", help="This coach for it; several times.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show who would guide whom, and store nothing.")] = False,
    rehearsal: OfRehearsal = False,
    as_json: AsJson = False,
) -> None:
    """Give a whole cohort its coaches at once: expertise against gaps, balance, continuity; conflicts are excluded."""
    from livinglab.coaching.v1 import assignment_pb2
    from livinglab.coaching.v1 import assignment_service_pb2 as pb

    from cli.speak import connection

    codes = institution or _participants(cohort_id)
    chosen = [one.partition("=") for one in choose or ()]
    choices = [assignment_pb2.Choice(institution=as_code(code), coach_id=coach) for code, _, coach in chosen]
    realm = cohort_id if rehearsal else ""
    if dry_run:
        asked = pb.PreviewAssignmentsRequest(cohort_id=cohort_id, institutions=codes, choices=choices, rehearsal=realm)
        _show(_call("PreviewAssignments", asked).pairs, as_json)
        return
    request = pb.AssignCoachesRequest(
        request_id=connection.new_request_id(),
        cohort_id=cohort_id,
        institutions=codes,
        choices=choices,
        rehearsal=realm,
    )
    _show(_call("AssignCoaches", request).pairs, as_json)


def replace(
    cohort_id: CohortId,
    coach_id: Annotated[str, typer.Argument(metavar="COACH", help="Who drops out.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    rehearsal: OfRehearsal = False,
    as_json: AsJson = False,
) -> None:
    """Take a coach out of a cohort: their institutions get others, and as few of the rest as can be change."""
    from livinglab.coaching.v1 import assignment_service_pb2 as pb

    from cli.speak import connection

    request = pb.ReplaceCoachRequest(
        request_id=connection.new_request_id(),
        cohort_id=cohort_id,
        coach_id=coach_id,
        reason=reason,
        rehearsal=cohort_id if rehearsal else "",
    )
    _show(_call("ReplaceCoach", request).pairs, as_json)


def regions(
    cohort_id: Annotated[str, typer.Option("--cohort", metavar="ID", help="Of this cohort alone.")] = "",
    coach_id: Annotated[str, typer.Option("--coach", metavar="COACH", help="Of this coach; you, unless named.")] = "",
    as_json: AsJson = False,
) -> None:
    """My regions: what waits for me, and who falls behind."""
    from livinglab.coaching.v1 import assignment_service_pb2 as pb

    request = pb.ListCoachedRegionsRequest(coach_id=coach_id, cohort_id=cohort_id)
    rows: list[dict[str, Any]] = [
        {
            "cohort": one.cohort_id,
            "institution": one.institution,
            "index": one.index,
            "plan": one.plan_id,
            "state": one.plan_state,
            "done": one.done,
            "actions": one.actions,
            "overdue": one.overdue,
            "waits_for_me": list(one.waits_for_me),
            "behind": list(one.behind),
            "rehearsal": one.rehearsal,
        }
        for one in _call("ListCoachedRegions", request).regions
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["cohort", "institution", "index", "state", "done", "waits for", "why"]
    shown = [
        [
            *(row[name] for name in ("cohort", "institution", "index", "state")),
            f"{row['done']}/{row['actions']}",
            *(", ".join(row[name]) for name in ("waits_for_me", "behind")),
        ]
        for row in rows
    ]
    table(columns, shown)


def _participants(cohort_id: str) -> list[str]:
    from cli.cohort.people import cohort_and_participants
    from cli.speak.connection import run

    _, found = run(cohort_and_participants(cohort_id))
    return still_in(found)


def still_in(participants: "Iterable[cohort_pb2.ParticipantProgress]") -> list[str]:
    """The institutions of those who take part; who has withdrawn, failed or graduated needs no coach."""
    from livinglab.program.v1 import cohort_pb2

    return [one.institution for one in participants if one.state == cohort_pb2.PARTICIPANT_STATE_ACTIVE]


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.assignment_service_pb2_grpc import AssignmentServiceStub

    from cli.speak import connection

    return connection.call("coaching", AssignmentServiceStub, method, request)


def _show(pairs: "list[assignment_pb2.Pair]", as_json: bool) -> None:
    rows = [
        {
            "institution": one.institution,
            "coach": one.coach_id,
            "points": {
                "expertise": one.expertise,
                "continuity": one.continuity,
                "distance": one.distance,
                "balance": one.balance,
            },
            "aspects": [
                {"aspect": about.aspect, "name": about.name, "gap": about.gap, "grade": about.grade}
                for about in one.aspects
            ],
            "chosen": one.chosen,
            "kept": one.kept,
            "next": {"coach": one.next_coach_id, "less": one.next_less},
            "reason": one.reason,
        }
        for one in pairs
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["institution", "coach", "expertise", "continuity", "distance", "balance", "next", "why"]
    table(
        columns,
        [
            [one.institution, one.coach_id]
            + [str(getattr(one, name)) for name in ("expertise", "continuity", "distance", "balance")]
            + [f"{one.next_coach_id} (-{one.next_less})" if one.next_coach_id else "", one.reason]
            for one in pairs
        ],
        right=["expertise", "continuity", "distance", "balance"],
    )
    say(f"{sum(bool(one.coach_id) for one in pairs)} institutions, {sum(not one.kept for one in pairs)} of them new")
