"""`livinglab memorandum`: agreements between institutions, from draft to their end."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from livinglab.coaching.v1 import memorandum_pb2

app = typer.Typer(help="Agreements between institutions (MoU).", no_args_is_help=True)

MemorandumId = Annotated[str, typer.Argument(metavar="ID", help="Id of the agreement.")]


@app.command()
def save(
    title: Annotated[str, typer.Option("--title", help="What it is.")],
    scope: Annotated[str, typer.Option("--scope", help="What is agreed.")],
    party: Annotated[
        list[str],
        typer.Option(
            "--party", metavar="CODE|NAME=SIGNATORY[@POSITION]", help="The first one drafts it; twice at least."
        ),
    ],
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="Its last day.")],
    memorandum_id: Annotated[str, typer.Option("--id", help="Change this draft; a new one, unless named.")] = "",
    cohort_id: Annotated[str, typer.Option("--cohort", metavar="ID", help="The cohort that it came of.")] = "",
    visit_id: Annotated[str, typer.Option("--visit", metavar="ID", help="The study visit that it came of.")] = "",
    as_json: AsJson = False,
) -> None:
    """Draft an agreement, or change a draft that nobody has signed."""
    from livinglab.coaching.v1 import memorandum_pb2
    from livinglab.coaching.v1 import memorandum_service_pb2 as pb

    from cli.speak import connection

    parties = []
    for one in party:
        who, _, signs = one.partition("=")
        signatory, _, position = signs.partition("@")
        named = memorandum_pb2.Party(signatory=signatory, position=position)
        if who[:1].isdigit():
            named.institution = as_code(who)
        else:
            named.name = who
        parties.append(named)
    request = pb.SaveMemorandumRequest(
        request_id=connection.new_request_id(),
        memorandum_id=memorandum_id,
        title=title,
        scope=scope,
        parties=parties,
        end_date=until,
        cohort_id=cohort_id,
        visit_id=visit_id,
    )
    _tell(_call("SaveMemorandum", request).memorandum, as_json)


@app.command()
def sign(
    memorandum_id: MemorandumId,
    party: Annotated[str, typer.Option("--party", help="For whom; your institution, unless named.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sign for a party; the regent or mayor does. With the last of them it is in force."""
    from livinglab.coaching.v1 import memorandum_service_pb2 as pb

    from cli.speak import connection

    who = party or connection.own_institution()
    request = pb.SignMemorandumRequest(request_id=connection.new_request_id(), memorandum_id=memorandum_id, party=who)
    _tell(_call("SignMemorandum", request).memorandum, as_json)


@app.command()
def end(
    memorandum_id: MemorandumId,
    reason: Annotated[str, typer.Option("--reason", help="Why before its last day.")],
    as_json: AsJson = False,
) -> None:
    """End an agreement before its last day."""
    from livinglab.coaching.v1 import memorandum_service_pb2 as pb

    from cli.speak import connection

    request = pb.EndMemorandumRequest(
        request_id=connection.new_request_id(), memorandum_id=memorandum_id, reason=reason
    )
    _tell(_call("EndMemorandum", request).memorandum, as_json)


@app.command()
def show(memorandum_id: MemorandumId, as_json: AsJson = False) -> None:
    """Show an agreement."""
    from livinglab.coaching.v1 import memorandum_service_pb2 as pb

    _tell(_call("GetMemorandum", pb.GetMemorandumRequest(memorandum_id=memorandum_id)).memorandum, as_json)


@app.command("list")
def list_memoranda(
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Of this party.")
    ] = "",
    cohort_id: Annotated[str, typer.Option("--cohort", metavar="ID", help="That came of this cohort.")] = "",
    as_json: AsJson = False,
) -> None:
    """List agreements."""
    from livinglab.coaching.v1 import memorandum_service_pb2 as pb
    from livinglab.coaching.v1.memorandum_service_pb2_grpc import MemorandumServiceStub

    from cli.speak import connection

    async def call() -> list[Any]:
        async with connection.connected("coaching", MemorandumServiceStub) as stub:
            code = institution or connection.token_institution()

            async def page(token: str) -> Any:
                return await stub.ListMemoranda(
                    pb.ListMemorandaRequest(institution=code, cohort_id=cohort_id, page_size=1000, page_token=token)
                )

            return await connection.every_page(page, lambda found: found.memoranda)

    rows = [_as_dict(one) for one in connection.run(call())]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "title", "state", "end_date"]
    table(columns, [[str(row[name]) for name in columns] for row in rows])


def _call(method: str, request: Any) -> Any:
    from livinglab.coaching.v1.memorandum_service_pb2_grpc import MemorandumServiceStub

    from cli.speak import connection

    return connection.call("coaching", MemorandumServiceStub, method, request)


def _as_dict(found: "memorandum_pb2.Memorandum") -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    row: dict[str, Any] = MessageToDict(
        found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    row["state"] = row["state"].removeprefix("MEMORANDUM_STATE_").lower()
    return row


def _tell(found: "memorandum_pb2.Memorandum", as_json: bool) -> None:
    row = _as_dict(found)
    if as_json:
        print_json(row)
        return
    say(f"{row['id']}: {row['title']}, {row['state'].replace('_', ' ')} until {row['end_date']}")
    for party in row["parties"]:
        signed = f"signed by {party['signed_by']}" if party["signed_by"] else "not signed yet"
        say(f"  {party['institution'] or party['name']}: {party['signatory']}, {signed}")
