"""`livinglab agreement`: what regents and mayors sign in a cohort."""

from typing import Annotated

import typer

from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say

app = typer.Typer(help="Agreements: the joint commitment of a cohort.", no_args_is_help=True)


@app.command()
def sign(
    cohort_id: Annotated[str, typer.Argument(metavar="COHORT", help="Id of the cohort.")],
    phase: Annotated[str, typer.Argument(metavar="PHASE", help="The phase whose duty it is.")],
    signatory: Annotated[str, typer.Option("--name", help="Who signs, with titles.")],
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="For whom; yours, unless named.")
    ] = "",
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="The cohort is a rehearsal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign the joint commitment; the regent or mayor does. Again changes nothing."""
    from livinglab.coaching.v1 import service_pb2 as pb
    from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub

    from cli.speak import connection
    from cli.speak.known import name_of

    code = connection.own_institution(institution)
    request = pb.SignAgreementRequest(
        request_id=connection.new_request_id(),
        cohort_id=cohort_id,
        phase=phase,
        institution=code,
        signatory=signatory,
        rehearsal=cohort_id if rehearsal else "",
    )
    connection.call("coaching", CoachingServiceStub, "SignAgreement", request)
    if as_json:
        print_json({"cohort": cohort_id, "phase": phase, "institution": code, "signatory": signatory})
    else:
        say(f"{signatory} has signed for {name_of(code)}")
