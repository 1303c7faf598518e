"""What each level of an indicator asks for, as commands show it: criteria, documents, help; and whether a file of it
is sound."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.files import read_file
from cli.speak.language import choose, language
from cli.speak.output import fail, print_json, say, table

if TYPE_CHECKING:
    from livinglab.assessment.v1 import guidance_pb2, instrument_pb2

    from instruments.guidance import Guide, Guides

Language = Annotated[
    str, typer.Option("--lang", metavar="LANGUAGE", help="id or en, of what is shown; JSON has both languages.")
]
_CERTAINTIES = {
    1: "checked against a public copy of the annex",
    2: "from public teaching material",
    3: "our reading of the levels in general",
}
_PREFIX = "guidance_"


def text(message: Any, english: bool, field: str = "text") -> str:
    """A text of the message in one language."""
    found: str = getattr(message, f"{field}_en" if english else field)
    return found


def is_english(named: str) -> bool:
    """Whether a command speaks English: as its own option says, else as commands do; refuses a language of neither."""
    if named:
        choose(named)
    return language() == "en"


def guides_of(name: str, instrument: "instrument_pb2.Instrument") -> "Guides | None":
    """The guides of an official instrument, or those in `guidance_ID.yaml` beside an instrument's file; None where
    there are none."""
    from instruments import guidance_files
    from instruments.guidance import Guides
    from instruments.guidance_lint import GuidanceFaults, load

    path = Path(name).parent / f"{_PREFIX}{instrument.id}.yaml"
    if name in guidance_files():
        content = guidance_files()[name].read_bytes()
    elif path.is_file():
        content = read_file(path, _largest())
    else:
        return None
    try:
        return Guides(load(content, instrument), instrument)
    except GuidanceFaults as faults:
        fail(*(f"{path}: {fault}" for fault in faults.faults))


def published_guides(instrument: "instrument_pb2.Instrument") -> "Guides | None":
    """What the running service knows of that version; None where it knows none."""
    from cli.speak.calls import ask
    from cli.speak.connection import run
    from instruments.guidance import Guides

    found = run(_guidance(ask, instrument.id, instrument.version))
    return Guides(found, instrument) if found is not None else None


async def _guidance(ask: Any, instrument: str, version: int) -> "guidance_pb2.Guidance | None":
    from grpc.aio import AioRpcError

    from chassis.errors import Kind
    from chassis.status import from_rpc_error

    try:
        answer = await ask("service", "GetGuidance", instrument=instrument, version=version)
    except AioRpcError as error:
        if from_rpc_error(error).kind == Kind.NOT_FOUND:
            return None
        raise
    found: guidance_pb2.Guidance = answer.guidance
    return found


def show_indicator(
    instrument: "instrument_pb2.Instrument", guides: "Guides | None", code: str, *, english: bool, as_json: bool
) -> None:
    """One indicator with everything that its levels ask for."""
    from instruments.lint import leaves

    node = next((one for one in leaves(list(instrument.nodes)) if one.number == code), None)
    if node is None:
        fail(f"{instrument.id} has no indicator {code}")
    guide = guides.of(code) if guides else None
    if guide is None:
        fail(f"nobody has written what the levels of indicator {code} of {instrument.id} ask for")
    names = next((list(one.names) for one in instrument.level_names if one.capability == node.capability), [])
    if as_json:
        print_json(_as_dict(node, guide, dict(zip(_levels(guide), names, strict=False))))
        return
    say(f"{code} {node.name_en if english and node.name_en else node.name}")
    say(f"{guide.title_en if english else guide.title}. {guide.source}; {_CERTAINTIES.get(guide.certainty, '')}")
    for pair in guide.help:
        say(pair[english])
    rows = []
    for level, name in zip(guide.levels, [*names, *[""] * len(guide.levels)], strict=False):
        documents = [("document", text(one, english, "name")) for one in level.documents]
        for k, (what, said) in enumerate([*((one.id, text(one, english)) for one in level.criteria), *documents]):
            rows.append([f"{level.level} {name}".strip() if k == 0 else "", what, said])
    table(["level", "asks for", "what"], rows)
    for one in guide.examples:
        say(f"Example: {text(one, english)}")


def _levels(guide: "Guide") -> list[str]:
    return [level.level for level in guide.levels]


def _as_dict(node: "instrument_pb2.Node", guide: "Guide", names: dict[str, str]) -> dict[str, Any]:
    return {
        "indicator": node.number,
        "name": node.name,
        "name_en": node.name_en,
        "kind": guide.title,
        "kind_en": guide.title_en,
        "help": [pair[0] for pair in guide.help],
        "help_en": [pair[1] for pair in guide.help],
        "source": guide.source,
        "certainty": _CERTAINTIES.get(guide.certainty, ""),
        "levels": [
            {
                "level": level.level,
                "name": names.get(level.level, ""),
                "criteria": [{"id": one.id, "text": one.text, "text_en": one.text_en} for one in level.criteria],
                "documents": [{"name": one.name, "name_en": one.name_en} for one in level.documents],
            }
            for level in guide.levels
        ],
        "examples": [{"text": one.text, "text_en": one.text_en} for one in guide.examples],
    }


def is_guidance(file: Path) -> bool:
    """Whether a file says what levels ask for, and is no instrument, by its name."""
    return file.name.startswith(_PREFIX)


def lint_guidance(file: Path, as_json: bool) -> "guidance_pb2.Guidance":
    """Names every fault of such a file, with its line; ends with exit code 1 where there are any."""
    from instruments.guidance_lint import lint_read, read

    parsed = read(read_file(file, _largest()))
    named = parsed.message.instrument
    faults = lint_read(parsed, None) or lint_read(parsed, _instrument_of(file, named) if named else None)
    lines = [f"{file}: {fault}" for fault in faults]
    if not named and not faults:
        lines = [f"{file}: line 1: instrument: is missing"]
    if as_json:
        print_json({"faults": [{"line": one.line, "place": one.place, "reason": one.reason} for one in faults]})
    if lines:
        fail(*lines)
    return parsed.message


def _instrument_of(file: Path, name: str) -> "instrument_pb2.Instrument":
    """The official instrument, or the one whose file lies beside."""
    from cli.speak.instruments import find_instrument

    beside = file.parent / f"{name}.yaml"
    return find_instrument(str(beside) if beside.is_file() else name)


def _largest() -> int:
    from instruments.file import LARGEST_FILE

    return LARGEST_FILE


def needs_lines(found: Iterable[Any], english: bool) -> Iterable[str]:
    """What each indicator needs for its next level, a line a criterion."""
    for one in found:
        for need in one.unmet:
            yield f"{one.indicator}: level {need.level} asks for {need.criterion}: {text(need, english)}"
        if one.next_level:
            documents = "; ".join(text(document, english, "name") for document in one.documents)
            for need in one.missing:
                yield f"{one.indicator}: next level {need.level} needs {need.criterion}: {text(need, english)}"
            if documents:
                yield f"{one.indicator}: shown by {documents}"
