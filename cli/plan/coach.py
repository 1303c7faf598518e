"""`livinglab coach`: who guides the participants: registered by managers, given to institutions or chosen for one."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.plan import assignments
from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from livinglab.coaching.v1 import coaching_pb2

_EXPERTISE = re.compile(r"([^:=]+):([^:=]+)=([1-3])", re.ASCII)

app = typer.Typer(help="Coaches: registered, and who guides whom.", no_args_is_help=True)
assignments.add_to(app)

Rehearsal = Annotated[
    str, typer.Option("--rehearsal", metavar="COHORT", help="Of this rehearsal; real ones, unless named.")
]


@app.command()
def register(
    coach_id: Annotated[str, typer.Argument(metavar="COACH", help="Id of the coach: the subject of their token.")],
    name: Annotated[str, typer.Option("--name", help="Name, with titles.")],
    email: Annotated[str, typer.Option("--email", help="Address for letters.")],
    capacity: Annotated[int, typer.Option("--capacity", help="Most institutions at a time in one cohort.")] = 10,
    expertise: Annotated[
        list[str] | None,
        typer.Option(
            "--expertise", metavar="INSTRUMENT:ASPECT=GRADE", help="1 seen, 2 done, 3 teaches; several times."
        ),
    ] = None,
    house: Annotated[str, typer.Option("--from", help="Their university or agency.")] = "",
    language: Annotated[list[str] | None, typer.Option("--language", metavar="id|en", help="Several times.")] = None,
    zone: Annotated[str, typer.Option("--zone", metavar="ZONE", help="Their clock: Asia/Jakarta.")] = "",
    conflict: Annotated[
        list[str] | None,
        typer.Option("--conflict", metavar="CODE", parser=as_code, help="Must not coach it; several times."),
    ] = None,
    rehearsal: Rehearsal = "",
    as_json: AsJson = False,
) -> None:
    """Register a coach, or say all of one anew; managers do."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection

    request = pb.RegisterCoachRequest(
        request_id=connection.new_request_id(),
        coach_id=coach_id,
        name=name,
        email=email,
        capacity=capacity,
        rehearsal=rehearsal,
        institution=house,
        languages=language or (),
        time_zone=zone,
        conflicts=conflict or (),
    )
    for one in expertise or ():
        found = _EXPERTISE.fullmatch(one)
        if found is None:
            raise typer.BadParameter(f"--expertise is INSTRUMENT:ASPECT=GRADE such as spbe-59-2020:3=2, not {one}")
        request.expertise.add(instrument=found[1], aspect=found[2], grade=int(found[3]))
    _told(_call("RegisterCoach", request).coach, as_json, "is registered")


@app.command("list")
def list_coaches(rehearsal: Rehearsal = "", as_json: AsJson = False) -> None:
    """List the coaches by id."""
    from livinglab.coaching.v1 import service_pb2 as pb
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

    from cli.speak.connection import connected, every_page, run

    async def call() -> list[Any]:
        async with connected("coaching", CoachingServiceStub) as coaching:

            async def page(token: str) -> pb.ListCoachesResponse:
                request = pb.ListCoachesRequest(rehearsal=rehearsal, page_size=1000, page_token=token)
                return await coaching.ListCoaches(request)

            return await every_page(page, lambda found: found.coaches)

    rows = [_as_dict(one) for one in run(call())]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "name", "email", "capacity"]
    table(columns, [[str(row[key]) for key in columns] for row in rows], right=["capacity"])


@app.command()
def assign(
    cohort_id: Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")],
    institution: Annotated[
        str, typer.Argument(metavar="INSTITUTION", parser=as_code, help="The code of a participant.")
    ],
    coach_id: Annotated[
        str, typer.Option("--coach", metavar="COACH", help="This one; else the one with the most free places.")
    ] = "",
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="The cohort is a rehearsal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a participant its coach, before its plan phase does; who has one keeps it."""
    from livinglab.coaching.v1 import service_pb2 as pb

    from cli.speak import connection
    from cli.speak.known import name_of

    request = pb.AssignCoachRequest(
        request_id=connection.new_request_id(),
        cohort_id=cohort_id,
        institution=institution,
        rehearsal=cohort_id if rehearsal else "",
        coach_id=coach_id,
    )
    _told(_call("AssignCoach", request).coach, as_json, f"guides {name_of(institution)}")


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

    from cli.speak import connection

    return connection.call("coaching", CoachingServiceStub, method, request)


def _told(coach: "coaching_pb2.Coach", as_json: bool, what: str) -> None:
    if as_json:
        print_json(_as_dict(coach))
    else:
        say(f"{coach.name} ({coach.id}) {what}")


def _as_dict(coach: "coaching_pb2.Coach") -> dict[str, Any]:
    """A coach for programs."""
    return {
        "id": coach.id,
        "name": coach.name,
        "email": coach.email,
        "capacity": coach.capacity,
        "expertise": [
            {"instrument": one.instrument, "aspect": one.aspect, "grade": one.grade} for one in coach.expertise
        ],
        "from": coach.institution,
        "languages": list(coach.languages),
        "time_zone": coach.time_zone,
        "conflicts": list(coach.conflicts),
        "rehearsal": coach.rehearsal,
    }
