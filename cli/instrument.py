"""`livinglab instrument`: the official instruments, and what is wrong with a new one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import guide
from cli.guide import Language, is_english
from cli.speak.files import read_file
from cli.speak.instruments import find_instrument
from cli.speak.output import AsJson, fail, print_json, say, table

if TYPE_CHECKING:
    from livinglab.assessment.v1 import instrument_pb2 as pb

app = typer.Typer(help="Evaluation instruments.", no_args_is_help=True)

# weighted_mean says itself: the children have weights.
_AGGREGATIONS = {2: "mean of all items below", 3: "mean of its children", 4: "lowest of its children"}
Published = Annotated[bool, typer.Option("--published", help="Ask the running service, not the official files.")]


def _published(instrument: str, version: int) -> "pb.Instrument":
    from cli.speak.calls import call

    found: pb.Instrument = call("service", "GetInstrument", id=instrument, version=version).instrument
    return found


@app.command("list")
def list_instruments(published: Published = False, as_json: AsJson = False) -> None:
    """List the official instruments, or every version that the running service knows."""
    from cli.speak.calls import call
    from instruments import instrument_files
    from instruments.lint import leaves

    if published:
        found = list(call("service", "ListInstruments").instruments)
    else:
        found = [find_instrument(name) for name in instrument_files()]
    rows = [
        {
            "id": one.id,
            "version": one.version,
            "title": one.title,
            "valid_from": one.valid_from,
            "valid_to": one.valid_to,
            "indicators": sum(1 for _ in leaves(list(one.nodes))),
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
        return
    table(
        ["id", "version", "title", "years", "scale", "indicators"],
        [
            [
                one.id,
                str(one.version),
                one.title,
                _years(one),
                f"{one.scale.min}-{one.scale.max}",
                str(row["indicators"]),
            ]
            for one, row in zip(found, rows, strict=True)
        ],
        right=["version", "indicators"],
    )


@app.command()
def show(
    instrument: Annotated[str, typer.Argument(metavar="ID", help="Id of an instrument, or path of its file.")],
    published: Published = False,
    version: Annotated[int, typer.Option("--version", min=0, help="With --published: not the newest one.")] = 0,
    indicator: Annotated[str, typer.Option("--indicator", metavar="NUMBER", help="What its levels ask for.")] = "",
    language: Language = "",
    as_json: AsJson = False,
) -> None:
    """Show an instrument: its tree, weights and predicates; or what the levels of one indicator ask for."""
    if version and not published:
        raise typer.BadParameter("is for what is published: add --published", param_hint="--version")
    english = is_english(language)
    one = _published(instrument, version) if published else find_instrument(instrument)
    if indicator:
        guides = guide.published_guides(one) if published else guide.guides_of(instrument, one)
        guide.show_indicator(one, guides, indicator, english=english, as_json=as_json)
        return
    if as_json:
        from google.protobuf.json_format import MessageToDict

        print_json(MessageToDict(one, preserving_proto_field_name=True))
        return
    say(f"{one.id} version {one.version}: {one.title}")
    say(f"Source: {one.source}")
    say(f"Years: {_years(one)}. Scale: {one.scale.min} to {one.scale.max}")
    for names in one.level_names:
        say(f"Levels ({names.capability}): {', '.join(names.names)}")
    if one.predicates:
        say("Predicates: " + ", ".join(f"{predicate.label} from {predicate.min}" for predicate in one.predicates))
    table(["kind", "number", "name", "in English", "weight", "remarks"], _rows(list(one.nodes), 0), right=["weight"])
    if one.aggregation in _AGGREGATIONS:
        say(f"The index is the {_AGGREGATIONS[one.aggregation]}".replace("its children", "the groups"))
    for caveat in one.caveats:
        say(f"Caveat: {caveat}")


@app.command("lint")
def lint_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An instrument's file, or its guidance_ID.yaml.")],
    as_json: AsJson = False,
) -> None:
    """Name every fault of an instrument file, or of what its levels ask for, with its line."""
    from instruments.aggregation import passed_over
    from instruments.file import LARGEST_FILE, lint_content, load

    if guide.is_guidance(file):
        guide.lint_guidance(file, as_json)
        if not as_json:
            say(f"{file}: no faults")
        return
    content = read_file(file, LARGEST_FILE)
    faults = lint_content(content)
    sound = None if faults else load(content)
    hints = list(passed_over(sound.aggregation, list(sound.nodes))) if sound else []
    if as_json:
        named = [{"line": one.line, "place": one.place, "reason": one.reason} for one in faults]
        print_json({"faults": named} | ({"notes": hints} if hints else {}))
    if faults:
        fail(*(f"{file}: {fault}" for fault in faults))
    if not as_json:
        say(f"{file}: no faults")
        for hint in hints:
            say(f"Note: {hint}")


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An instrument's file, or its guidance_ID.yaml.")],
    as_json: AsJson = False,
) -> None:
    """Publish a version of an instrument; running evaluations keep theirs. Or a revision of what its levels ask for."""
    from cli.speak.calls import call

    if guide.is_guidance(file):
        told = call("service", "PublishGuidance", guidance=guide.lint_guidance(file, as_json=False)).guidance
        if as_json:
            print_json({"instrument": told.instrument, "version": told.version, "revision": told.revision})
        else:
            say(f"revision {told.revision} of the guidance for {told.instrument} version {told.version} is published")
        return
    kept = call("service", "PublishInstrument", instrument=find_instrument(str(file.absolute()))).instrument
    if as_json:
        print_json({"id": kept.id, "version": kept.version})
    else:
        say(f"{kept.id} version {kept.version} is published")


def _years(one: "pb.Instrument") -> str:
    return f"{one.valid_from or ''}-{one.valid_to or ''}"


def _rows(nodes: "list[pb.Node]", depth: int) -> list[list[str]]:
    rows = []
    for node in nodes:
        remarks = [node.capability, "repeatable" if node.repeatable else ""]
        remarks += [_AGGREGATIONS.get(node.aggregation, "")] if node.children else []
        remarks.append(f"awaited from {node.awaited_from}" if node.awaited_from else "")
        kind = "  " * depth + node.kind
        rows.append([kind, node.number, node.name, node.name_en, node.weight, ", ".join(filter(None, remarks))])
        rows += _rows(list(node.children), depth + 1)
    return rows
