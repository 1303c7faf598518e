"""`livinglab evidence`: files in and out, what they are shown for, what assessors say of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.evidence import growth
from cli.speak.codes import as_code
from cli.speak.files import Force, new_file
from cli.speak.output import AsJson, print_json, say, table

app = typer.Typer(help="Evidence: files and links, and what they are shown for.", no_args_is_help=True)
growth.add_to(app)

Evaluation = Annotated[str, typer.Argument(metavar="EVALUATION", help="Id of the evaluation.")]
EvidenceId = Annotated[str, typer.Argument(metavar="EVIDENCE", help="Id of the file.")]
Level = Annotated[int, typer.Option("--level", min=0, help="The level that it shows; 0 is the indicator as a whole.")]
Institution = Annotated[str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Yours, unless named.")]


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="PDF, PNG, JPEG, DOCX, XLSX, PPTX, CSV or text.")],
    dated: Annotated[str, typer.Option("--dated", metavar="DATE", help="The date on the document, 2022-03-01.")],
    title: Annotated[str, typer.Option("--title", help="What it is.")] = "",
    valid_until: growth.ValidUntil = "",
    revises: growth.Revises = "",
    change: growth.Change = "",
    institution: Institution = "",
    as_json: AsJson = False,
) -> None:
    """Upload a file; one that broke off goes on where it was."""
    from cli.evidence.transfer import send
    from cli.speak.connection import own_institution, run

    more = {"valid_until": valid_until, "revises": revises, "change": change}
    stored = run(send(file, dated, title, own_institution(institution), **more))
    if as_json:
        print_json(_view().as_dict(stored))
    else:
        say(f"{stored.id}: {stored.file_name}, {_view().word(stored.content_type)}, {stored.size} bytes")


@app.command("list")
def list_evidence(
    evaluation: Annotated[
        str, typer.Option("--evaluation", metavar="ID", help="What is shown in an evaluation, by indicator.")
    ] = "",
    institution: Institution = "",
    as_json: AsJson = False,
) -> None:
    """List an institution's files, or the evidence of every indicator of an evaluation."""
    if evaluation:
        _list_shown(evaluation, as_json)
        return
    from livinglab.assessment.v1 import evidence_service_pb2 as pb

    from cli.speak.connection import every_page, own_institution, run

    async def call() -> list[Any]:
        async with _connected() as stub:
            code = own_institution(institution)

            async def page(token: str) -> Any:
                request = pb.ListEvidenceRequest(institution=code, page_size=1000, page_token=token)
                return await stub.ListEvidence(request)

            return await every_page(page, lambda found: found.evidence)

    rows = [_view().as_dict(one) for one in run(call())]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "file_name", "title", "content_type", "size", "document_date"]
    table(columns, [[str(row[key]) for key in columns] for row in rows], right=["size"])


@app.command()
def attach(
    evaluation: Evaluation,
    evidence: EvidenceId,
    indicator: Annotated[list[str], typer.Option("--indicator", metavar="CODE", help="May be given several times.")],
    level: Level = 0,
    pages: Annotated[str, typer.Option("--pages", help="Where in the document: 3, 5-7")] = "",
    minutes: Annotated[str, typer.Option("--minutes", help="Where in a recording: 12:30-14:05")] = "",
    as_json: AsJson = False,
) -> None:
    """Show a file for one or more indicators, as a draft."""
    from livinglab.assessment.v1 import evidence_service_pb2 as pb

    request = pb.AttachEvidenceRequest(
        evaluation_id=evaluation, evidence_id=evidence, indicators=indicator, level=level, pages=pages, minutes=minutes
    )
    answer = _write("AttachEvidence", request)
    warnings = [{"rule": one.rule, "indicator": one.indicator, "message": one.message} for one in answer.warnings]
    if as_json:
        print_json({"indicators": [_view().as_row(one) for one in answer.indicators], "warnings": warnings})
        return
    say(f"attached to {len(answer.indicators)} indicators")
    for one in warnings:
        say(f"warning {one['rule']}: indicator {one['indicator']}: {one['message']}")


@app.command()
def detach(
    evaluation: Evaluation,
    evidence: EvidenceId,
    indicator: Annotated[str, typer.Option("--indicator", metavar="CODE")],
    level: Level = 0,
    as_json: AsJson = False,
) -> None:
    """Take a file away from an indicator."""
    from livinglab.assessment.v1 import evidence_service_pb2 as pb

    request = pb.DetachEvidenceRequest(evaluation_id=evaluation, evidence_id=evidence, indicator=indicator, level=level)
    _view().tell([_write("DetachEvidence", request).indicator], as_json)


@app.command("hand-in")
def hand_in(
    evaluation: Evaluation,
    indicator: Annotated[
        list[str] | None, typer.Option("--indicator", metavar="CODE", help="All drafts, unless named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show drafts to the assessors."""
    from livinglab.assessment.v1 import evidence_service_pb2 as pb

    request = pb.HandInEvidenceRequest(evaluation_id=evaluation, indicators=indicator or [])
    _view().tell(_write("HandInEvidence", request).indicators, as_json)


@app.command()
def review(
    evaluation: Evaluation,
    evidence: EvidenceId,
    indicator: Annotated[str, typer.Option("--indicator", metavar="CODE")],
    level: Level = 0,
    accept: Annotated[bool, typer.Option("--accept", help="It shows what it is shown for.")] = False,
    revise: Annotated[str, typer.Option("--revise", metavar="REASON", help="What is to be revised.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what you find of a file: --accept, or --revise REASON."""
    from livinglab.assessment.v1 import evidence_pb2
    from livinglab.assessment.v1 import evidence_service_pb2 as pb

    if accept == bool(revise):
        raise typer.BadParameter("name one: --accept, or --revise REASON")
    request = pb.ReviewEvidenceRequest(
        evaluation_id=evaluation,
        evidence_id=evidence,
        indicator=indicator,
        level=level,
        state=evidence_pb2.EVIDENCE_STATE_ACCEPTED if accept else evidence_pb2.EVIDENCE_STATE_REVISE,
        reason=revise,
    )
    _view().tell([_write("ReviewEvidence", request).indicator], as_json)


@app.command()
def download(
    evidence: EvidenceId,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="PATH", help="Its own name here, unless named.", callback=new_file),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Download a file and check that it is whole."""
    from cli.evidence.transfer import receive
    from cli.speak.connection import run

    path, found = run(receive(evidence, to))
    if as_json:
        print_json({**_view().as_dict(found), "path": str(path)})
    else:
        say(f"{path}: {found.size} bytes")


@app.command()
def carry(
    earlier: Annotated[str, typer.Argument(metavar="FROM", help="Id of the earlier evaluation.")],
    later: Annotated[str, typer.Argument(metavar="TO", help="Id of the later one, on the newer instrument.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be carried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Carry evidence over to the next instrument's indicators; scores never."""
    from livinglab.assessment.v1 import evidence_service_pb2 as pb

    request = pb.CarryEvidenceRequest(from_evaluation_id=earlier, to_evaluation_id=later, validate_only=dry_run)
    rows = [
        {
            "indicator": row.indicator,
            "status": _view().word(row.status, "CrosswalkStatus"),
            "from": list(row.from_indicators),
            "evidence": list(row.evidence_ids),
            "unchanged": row.unchanged,
        }
        for row in _write("CarryEvidence", request).rows
    ]
    if as_json:
        print_json(rows)
        return
    table(
        ["indicator", "status", "from", "carried", "unchanged"],
        [
            [r["indicator"], r["status"], ", ".join(r["from"]), str(len(r["evidence"])), str(r["unchanged"])]
            for r in rows
        ],
    )


def _view() -> Any:
    """Loaded when something is shown, so that help comes at once."""
    from cli.evidence import view

    return view


def _list_shown(evaluation: str, as_json: bool) -> None:
    from livinglab.assessment.v1 import evidence_service_pb2 as pb

    from cli.speak.connection import run

    async def call() -> Any:
        async with _connected() as stub:
            return await stub.ListIndicatorEvidence(pb.ListIndicatorEvidenceRequest(evaluation_id=evaluation))

    answer = run(call())
    _view().tell(answer.indicators, as_json, {one.id: one.file_name for one in answer.evidence})


def _write(method: str, request: Any) -> Any:
    """One call that writes, under a request_id of its own."""
    from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

    from cli.speak.connection import call, new_request_id

    request.request_id = new_request_id()
    return call("assessment", EvidenceServiceStub, method, request)


def _connected() -> Any:
    from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

    from cli.speak.connection import connected

    return connected("assessment", EvidenceServiceStub)
