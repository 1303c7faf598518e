"""`livinglab notify address`: addresses to which no letter goes any more, and how one is written to again."""

from typing import Annotated, Any

import typer

from cli.speak.output import AsJson, print_json, say, table

app = typer.Typer(help="Addresses to which no letter goes any more.", no_args_is_help=True)


@app.command("list")
def list_addresses(
    cohort: Annotated[str, typer.Option("--cohort", metavar="ID", help="Those of letters of this cohort.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the addresses that refused several letters for good, and what the mail server said."""
    from google.protobuf.json_format import MessageToDict

    found = _listed(cohort)
    if as_json:
        print_json([MessageToDict(one, preserving_proto_field_name=True) for one in found])
        return
    rows = [[one.email, str(one.refusals), f"{one.retry_time.ToDatetime():%Y-%m-%d}", one.words] for one in found]
    table(["address", "refused", "tried again", "said"], rows, right=["refused"])


@app.command()
def restore(
    emails: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="Where somebody is after all.")],
    as_json: AsJson = False,
) -> None:
    """Write to addresses again. Letters that were given up meanwhile are sent by `livinglab notify retry`."""
    from livinglab.notify.v1 import address_service_pb2 as pb
    from livinglab.notify.v1.address_service_pb2_grpc import AddressServiceStub

    from cli.speak.connection import connected, new_request_id, run

    async def call() -> None:
        async with connected("notify", AddressServiceStub) as notify:
            for email in dict.fromkeys(emails):
                await notify.RestoreAddress(pb.RestoreAddressRequest(request_id=new_request_id(), email=email))

    run(call())
    if as_json:
        print_json({"restored": emails})
    else:
        say(f"restored {', '.join(emails)}")


def _listed(cohort_id: str) -> list[Any]:
    from livinglab.notify.v1 import address_service_pb2 as pb
    from livinglab.notify.v1.address_service_pb2_grpc import AddressServiceStub

    from cli.speak.connection import connected, every_page, run

    async def call() -> list[Any]:
        async with connected("notify", AddressServiceStub) as notify:

            async def page(token: str) -> pb.ListUndeliverableResponse:
                return await notify.ListUndeliverable(
                    pb.ListUndeliverableRequest(cohort_id=cohort_id, page_size=500, page_token=token)
                )

            return await every_page(page, lambda found: found.addresses)

    return run(call())
