"""`livinglab notify template`: the texts that people are written by, seen, tried on real letters, and changed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.speak.output import AsJson, print_json, say, table

app = typer.Typer(help="The texts that people are written by.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Such as plan_returned.")]
Language = Annotated[str, typer.Option("--language", help="id or en.")]
Source = Annotated[Path | None, typer.Option("--file", exists=True, dir_okay=False, help="A source to try.")]


@app.command("list")
def list_templates(as_json: AsJson = False) -> None:
    """List the templates, the version of each and the values that it may ask for."""
    from livinglab.notify.v1 import template_service_pb2 as pb

    found = _call("ListTemplates", pb.ListTemplatesRequest()).templates
    if as_json:
        print_json([_as_dict(one) for one in found])
        return
    rows = [[one.name, one.language, str(one.version), one.changed_by, ", ".join(one.values)] for one in found]
    table(["template", "language", "version", "changed by", "values"], rows, right=["version"])


@app.command()
def show(name: Name, language: Language = "id", as_json: AsJson = False) -> None:
    """Write the source of a template as it is used now, to be changed."""
    found = _get(name, language)
    if as_json:
        print_json(_as_dict(found) | {"source": found.source})
        return
    for line in found.source.splitlines():
        say(line)


@app.command()
def preview(
    name: Name,
    language: Language = "id",
    file: Source = None,
    message: Annotated[str, typer.Option("--message", help="Whose values; the newest by this template.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what a source, or the template in use, makes of a letter that was really written."""
    from livinglab.notify.v1 import template_service_pb2 as pb

    source = file.read_text("utf-8") if file else ""
    request = pb.PreviewTemplateRequest(name=name, language=language, source=source, message_id=message)
    found = _call("PreviewTemplate", request)
    if as_json:
        print_json({"subject": found.subject, "body": found.body, "html": found.html, "message": found.message_id})
        return
    for line in (found.subject, "", *found.body.splitlines()):
        say(line)


@app.command()
def save(
    name: Name,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The new source.")],
    language: Language = "id",
    as_json: AsJson = False,
) -> None:
    """Change a template: letters are written by the new source from now on."""
    from livinglab.notify.v1 import template_service_pb2 as pb

    from cli.speak.connection import new_request_id

    request = pb.SaveTemplateRequest(
        request_id=new_request_id(),
        name=name,
        language=language,
        source=file.read_text("utf-8"),
        version=_get(name, language).version,
    )
    saved = _call("SaveTemplate", request).template
    if as_json:
        print_json(_as_dict(saved))
    else:
        say(f"{name} ({language}) is at version {saved.version} now")


def _get(name: str, language: str) -> Any:
    from livinglab.notify.v1 import template_service_pb2 as pb

    return _call("GetTemplate", pb.GetTemplateRequest(name=name, language=language)).template


def _call(method: str, request: Any) -> Any:
    from livinglab.notify.v1.template_service_pb2_grpc import TemplateServiceStub

    from cli.speak.connection import call

    return call("notify", TemplateServiceStub, method, request)


def _as_dict(one: Any) -> dict[str, Any]:
    return {
        "template": one.name,
        "language": one.language,
        "version": one.version,
        "changed_by": one.changed_by,
        "values": list(one.values),
    }
