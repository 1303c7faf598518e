"""What the commands on evaluations share: levels written as 1=3, and how an evaluation is shown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.calls import ask
from cli.speak.language import word
from cli.speak.output import fail, print_json, say
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from livinglab.assessment.v1 import evaluation_pb2

    from cli.speak.levels import Levels as FileLevels

EvaluationId = Annotated[str, typer.Argument(metavar="ID", help="The evaluation, 32.11:spbe-59-2020:2022.")]
Levels = Annotated[list[str], typer.Argument(metavar="INDICATOR=LEVEL...", help="Such as 1=3 35-2=4.")]
Etag = Annotated[str, typer.Option("--etag", help="Refuse where somebody else has written since this version.")]
Overwrite = Annotated[bool, typer.Option("--force", help="Also over what somebody else has written.")]


def all_pages(module: str, method: str, items: str, **fields: Any) -> list[Any]:
    """Every item of a paged list."""
    from cli.speak.connection import every_page, run

    def page(token: str) -> Any:
        return ask(module, method, page_token=token, page_size=1000, **fields)

    return run(every_page(page, lambda found: getattr(found, items)))


def pairs(given: Iterable[str]) -> dict[str, str]:
    """1=3 2=4 as a mapping; a decimal comma is taken."""
    found: dict[str, str] = {}
    for text in given:
        indicator, equals, value = text.partition("=")
        if not equals or not indicator or not value:
            raise typer.BadParameter(f"{text!r} is not written INDICATOR=LEVEL", param_hint="INDICATOR=LEVEL")
        if indicator in found:
            raise typer.BadParameter(f"indicator {indicator} is given twice", param_hint="INDICATOR=LEVEL")
        found[indicator] = value.replace(",", ".")
    return found


def as_dict(message: "Message") -> dict[str, Any]:
    """A message for programs, with the contract's names."""
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(message, preserving_proto_field_name=True)


def stage_number(name: str) -> int:
    """The stage of that name, self-assessment, document ...; refuses an unknown one."""
    from livinglab.assessment.v1 import evaluation_pb2

    number = dict(evaluation_pb2.Stage.items()).get("STAGE_" + name.upper().replace("-", "_"), 0)
    if not number:
        known = ", ".join(stage_names(number) for number in evaluation_pb2.Stage.values() if number)
        raise typer.BadParameter(f"{name!r} is none of {known}", param_hint="STAGE")
    return number


def stage_names(number: int) -> str:
    """self-assessment, document ...; empty for none."""
    from livinglab.assessment.v1 import evaluation_pb2

    label = evaluation_pb2.Stage.Name(evaluation_pb2.Stage.ValueType(number))
    return label.removeprefix("STAGE_").lower().replace("_", "-") if number else ""


def show_evaluation(evaluation: "evaluation_pb2.Evaluation", *, as_json: bool, **beside: "Iterable[Message]") -> None:
    """Where it stands now, in one line or whole; lists of messages that came with it are in the JSON, if not empty."""
    if as_json:
        lists = {name: [as_dict(one) for one in found] for name, found in beside.items()}
        print_json(as_dict(evaluation) | {name: found for name, found in lists.items() if found})
        return
    state = {1: "open", 2: "concluded", 3: "published"}.get(evaluation.state, "")
    parts = [f"{evaluation.id}: {word(stage_names(evaluation.stage))} {word(state)}"]
    if evaluation.HasField("score"):
        score = {"index": evaluation.score.index, "predicate": evaluation.score.predicate}
        parts.append(sentence("index", **score).rstrip())
    if evaluation.published_index:
        parts.append(sentence("published", index=evaluation.published_index, revision=evaluation.revision))
    if evaluation.missing and evaluation.state == 1:
        parts.append(sentence("unanswered", count=len(evaluation.missing)))
    if evaluation.next_stage:
        parts.append(sentence("next", stage=word(stage_names(evaluation.next_stage))))
    say("; ".join([*parts, f"etag {evaluation.etag}"]))


def choose(name: str, option: str, choices: dict[str, int]) -> Any:
    """The number behind a name; refuses another one."""
    if name not in choices:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(choices)}", param_hint=option)
    return choices[name]


@contextmanager
def placed(items: str, places: Sequence[str]) -> Iterator[None]:
    """What is refused within the block of a request's items, such as answers[3], is named by where each was given."""
    import grpc.aio

    from chassis.errors import Refused, Violation
    from chassis.status import from_rpc_error

    def place(field: str) -> str:
        found = re.match(rf"{items}\[(\d+)\]", field)
        return places[int(found[1])] if found and int(found[1]) < len(places) else field

    try:
        yield
    except grpc.aio.AioRpcError as error:
        refused = from_rpc_error(error)
        violations = [Violation(place(one.field), one.description) for one in refused.violations]
        raise Refused(refused.kind, refused.reason, refused.message, violations=violations) from error


def levels_of_file(file: Path) -> "FileLevels":
    """The levels that a file gives, with their explanations; every fault of it is a line."""
    from cli.speak.files import read_file, tell_of
    from cli.speak.levels import LARGEST_FILE, read_levels

    levels = read_levels(read_file(file, LARGEST_FILE), tell_of(file))
    if levels.faults:
        fail(*(f"{file}: line {line}: {reason}" for line, reason in sorted(levels.faults)))
    return levels
