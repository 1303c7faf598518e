"""`livinglab events dead-letters`, `replay` and `discard`: what each service has set aside."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.output import AsJson, fail, print_json, say, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Services = Annotated[
    list[str] | None,
    typer.Option("--service", metavar="NAME", help="This service alone; may be given several times."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="FACT", help="EvaluationSubmitted, or its full name; may be given several times."),
]

# A reaction may take its time; the service answers when all of them are done.
_AT_ONCE = 10
_REPLAY_SECONDS = 60.0


def chosen(named: list[str] | None) -> list[str]:
    """The services that were named, or every one that publishes and reacts."""
    from chassis.events.facts import services

    for name in named or ():
        if name not in services():
            raise typer.BadParameter(f"{name} is not one of {', '.join(services())}", param_hint="--service")
    return list(dict.fromkeys(named)) if named else services()


def full_names(named: list[str] | None) -> list[str]:
    """Full names of the facts that were named."""
    from chassis.events.facts import kinds

    found = []
    for name in named or ():
        matches = [full for full in kinds() if full == name or full.endswith(f".{name}")]
        if not matches:
            raise typer.BadParameter(f"{name} is no fact of the contract", param_hint="--type")
        found += matches
    return list(dict.fromkeys(found))


def dead_letters(service: Services = None, kind: Kinds = None, as_json: AsJson = False) -> None:
    """List the facts that services could not handle ('in') or could not publish ('out'), with the reason. 'livinglab
    events replay' tries them again, 'livinglab events discard' gives them up."""
    found, faults = _listed(chosen(service), full_names(kind))
    if as_json:
        print_json([_as_dict(name, letter) for name, letter in found])
    elif found:
        table(
            ["service", "", "letter", "type", "tries", "last try", "reason"],
            [
                (name, _way(one), one.id, _short(one.type), str(one.tries), _time(one.last_try_time), one.reason)
                for name, one in found
            ],
        )
    elif not faults:
        say("no service has set a fact aside")
    if faults:
        fail(*faults)


def replay(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[LETTER]...", help="Ids of letters, ASSESSMENT:1204.")
    ] = None,
    service: Services = None,
    kind: Kinds = None,
    everything: Annotated[bool, typer.Option("--all", help="Every letter of every service.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let services handle again what they have set aside: the letters that are named, all of a type, all of a service.
    What succeeds has its effect once, however often it is replayed; what fails stays, with its new reason."""
    if not (letter_ids or service or kind or everything):
        raise typer.BadParameter("name letters, or all of a --type, of a --service, or --all")
    if letter_ids and (kind or everything):
        raise typer.BadParameter("name either letters, or all of a --type, or --all")
    services = chosen(service)
    if letter_ids:
        wanted, faults = {name: list(dict.fromkeys(letter_ids)) for name in services}, list[str]()
    else:
        found, faults = _listed(services, full_names(kind))
        wanted = {name: [one.id for owner, one in found if owner == name] for name in services}
    rows, more = _settled(wanted, _replays)
    faults += more
    failed = sum(row["outcome"] == "failed" for row in rows)
    faults += [f"{failed} of {len(rows)} failed again"] if failed else []
    _tell(rows, letter_ids, faults, as_json)


def discard(
    letter_ids: Annotated[list[str], typer.Argument(metavar="LETTER...", help="Ids of letters, ASSESSMENT:1204.")],
    reason: Annotated[str, typer.Option("--reason", help="Why nobody needs them; it is kept.")],
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="Whose letters they are.")],
    as_json: AsJson = False,
) -> None:
    """Give up letters of a service for good: they never have their effect. Who did so and why is kept with them."""

    async def discards(stub: Any, ids: list[str], request_id: str) -> Any:
        from livinglab.common.v1 import dead_letter_service_pb2 as pb

        request = pb.DiscardDeadLettersRequest(request_id=request_id, letter_ids=ids, reason=reason)
        return (await stub.DiscardDeadLetters(request)).letters

    [name] = chosen([service])
    rows, faults = _settled({name: list(dict.fromkeys(letter_ids))}, discards)
    _tell(rows, letter_ids, faults, as_json)


def _tell(rows: list[dict[str, Any]], letter_ids: list[str] | None, faults: list[str], as_json: bool) -> None:
    """What became of each. One id may stand for letters of several services: strange is what none of them knows."""
    known = {row["letter"] for row in rows if row["outcome"] != "unknown"}
    strangers = [one for one in letter_ids or () if one not in known and not faults]
    rows = [row for row in rows if row["outcome"] != "unknown"]
    if as_json:
        print_json(rows)
    elif rows:
        columns = ["service", "letter", "type", "outcome", "reason"]
        table(columns, [[_short(row[column]) for column in columns] for row in rows])
    elif not letter_ids and not faults:
        say("nothing is set aside there")
    faults += [f"{one} was set aside by no service" for one in strangers]
    if faults:
        fail(*faults)


def _listed(services: list[str], kinds: list[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    """Letters with their service, and what went wrong: a service that is down hides nothing of the others."""
    from livinglab.common.v1 import dead_letter_service_pb2 as pb

    from cli.speak.connection import every_page

    async def letters(stub: Any) -> list[Any]:
        found = await every_page(
            lambda token: stub.ListDeadLetters(pb.ListDeadLettersRequest(page_size=100, page_token=token)),
            lambda page: page.letters,
        )
        return [one for one in found if not kinds or one.type in kinds]

    answers, faults = _each(services, lambda _, stub: letters(stub))
    return [(name, one) for name, found in answers.items() for one in found], faults


async def _replays(stub: Any, ids: list[str], request_id: str) -> Any:
    from livinglab.common.v1 import dead_letter_service_pb2 as pb

    request = pb.ReplayDeadLettersRequest(request_id=request_id, letter_ids=ids)
    return (await stub.ReplayDeadLetters(request, timeout=_REPLAY_SECONDS)).replays


def _settled(
    wanted: dict[str, list[str]], ask: "Callable[[Any, list[str], str], Awaitable[Any]]"
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each letter of each service, and what went wrong."""
    from livinglab.common.v1 import dead_letter_service_pb2 as pb
    from rich.console import Console

    from cli.speak.connection import new_request_id

    async def settled(name: str, stub: Any) -> list[Any]:
        ids, found = wanted[name], list[Any]()
        for start in range(0, len(ids), _AT_ONCE):
            found += await ask(stub, ids[start : start + _AT_ONCE], new_request_id())
            status.update(f"{name}: {len(found)} of {len(ids)}")
        return found

    with Console(stderr=True).status("asking ...") as status:
        answers, faults = _each([name for name, ids in wanted.items() if ids], settled)
    rows = [
        {
            "service": name,
            "letter": one.id,
            "type": one.type,
            "outcome": pb.ReplayOutcome.Name(one.outcome).removeprefix("REPLAY_OUTCOME_").lower().replace("_", " "),
            "reason": one.reason,
        }
        for name, found in answers.items()
        for one in found
    ]
    return rows, faults


def _each(
    services: list[str], call: "Callable[[str, Any], Awaitable[list[Any]]]"
) -> tuple[dict[str, list[Any]], list[str]]:
    """What each service answers, and a line for each that refused."""
    import grpc.aio
    from livinglab.common.v1.dead_letter_service_pb2_grpc import DeadLetterServiceStub

    from chassis.status import from_rpc_error
    from cli.speak.connection import connected, run

    async def asked() -> tuple[dict[str, list[Any]], list[str]]:
        answers, faults = dict[str, list[Any]](), list[str]()
        for name in services:
            try:
                async with connected(name, DeadLetterServiceStub) as stub:
                    answers[name] = await call(name, stub)
            except grpc.aio.AioRpcError as error:
                faults.append(f"{name} refused: {from_rpc_error(error)}")
        return answers, faults

    return run(asked())


def _as_dict(service: str, letter: Any) -> dict[str, Any]:
    """A letter for programs, its fact written out where it can be read."""
    import base64

    from chassis.events.facts import read
    from cli.speak.answers import message_json

    row = message_json(letter)
    del row["payload"]
    event = read(letter.type, letter.payload)
    if event is None:
        row["data_base64"] = base64.b64encode(letter.payload).decode()
    else:
        row["data"] = message_json(event)
    return {"service": service, "direction": _way(letter), **row}


def _way(letter: Any) -> str:
    return "out" if letter.outgoing else "in"


def _short(name: str) -> str:
    return name.removeprefix("livinglab.")


def _time(stamp: Any) -> str:
    from cli.cohort.view import local_time

    return str(local_time(stamp))
