"""How the commands of the benchmark ask, and how they show what comes back."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.speak.output import note, print_json, say, table, write_csv

if TYPE_CHECKING:
    from google.protobuf.message import Message

_ANALYSIS_SECONDS = 30.0


def ask(service: str, call: Callable[[Any], Awaitable[Any]]) -> Any:
    """What one of benchmark's services answers."""
    from livinglab.benchmark.v1.analysis_service_pb2_grpc import AnalysisServiceStub
    from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub
    from livinglab.benchmark.v1.steward_service_pb2_grpc import StewardServiceStub

    from cli.speak.connection import connected, run

    stubs: dict[str, Any] = {
        "race": BenchmarkServiceStub,
        "analysis": AnalysisServiceStub,
        "steward": StewardServiceStub,
    }

    async def asked() -> Any:
        async with connected("benchmark", stubs[service]) as stub:
            return await call(_Patient(stub) if service == "analysis" else stub)

    return run(asked())


class _Patient:
    """A stub that waits longer: the first analysis after a start loads the libraries for it."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, method: str) -> Any:
        return partial(getattr(self._stub, method), timeout=_ANALYSIS_SECONDS)


def write(
    answer: "Message",
    columns: list[str],
    rows: list[list[str]],
    *,
    as_json: bool,
    as_csv: bool,
    withheld: Any = None,
) -> None:
    """Shows an answer as asked: JSON, CSV, or a table with what was withheld below."""
    if as_json:
        print_json(message_json(answer))
    elif as_csv:
        write_csv([column.strip() for column in columns], rows)
    else:
        table(columns, rows)
    if not as_json:
        for one in getattr(answer, "withheld", ()) if withheld is None else withheld:
            # A file of rows says nothing of why some are missing.
            (note if as_csv else say)(f"Withheld: {one.what}: {one.reason}")


def done(answer: "Message", text: str, as_json: bool) -> None:
    """Says that something was set, or shows it as JSON."""
    if as_json:
        print_json(message_json(answer))
    else:
        say(text)


def message_json(answer: "Message") -> Any:
    """Every field of the answer, by the names of the contract."""
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def fields(message: "Message") -> list[tuple[str, str]]:
    """The fields of a message of strings, in their order."""
    return [(field.name, getattr(message, field.name)) for field in message.DESCRIPTOR.fields]
