"""The root of `livinglab`: every noun is registered here, and loaded where a command names it."""

import importlib
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NoReturn

import typer

# By the noun: its module, which has an `app` of its own.
_NOUNS = {
    "cohort": "cli.cohort.commands",
    "schedule": "cli.schedule",
    "release": "cli.release.commands",
    "assessment": "cli.assessment.commands",
    "evidence": "cli.evidence.commands",
    "instrument": "cli.instrument",
    "institution": "cli.institution",
    "benchmark": "cli.race.benchmark",
    "coach": "cli.plan.coach",
    "session": "cli.plan.session",
    "agreement": "cli.plan.agreement",
    "memorandum": "cli.plan.memorandum",
    "visit": "cli.plan.visit",
    "practice": "cli.practice.copying",
    "plan": "cli.plan.progress",
    "notify": "cli.notify.commands",
    "inbox": "cli.notify.inbox",
    "events": "cli.events.commands",
    "webhook": "cli.webhook.commands",
}
# By the command that stands alone: the module that has it under its name.
_COMMANDS = {
    "ranking": "cli.race.ranking",
    "score": "cli.score",
    "duties": "cli.plan.duties",
    "rehearse": "cli.rehearse",
    "doctor": "cli.doctor",
    "backup": "cli.backup",
    "restore": "cli.backup",
    "up": "cli.platform",
    "down": "cli.platform",
    "addresses": "cli.platform",
    "login": "cli.platform",
}


def whole() -> typer.Typer:
    """With everything there is."""
    return _with([*_NOUNS, *_COMMANDS])


def main() -> None:
    """Run the command line; ends the process with the command's exit code."""
    named = _named(sys.argv[1:])
    # Loading all that there is takes longer than most commands.
    app = _with([named]) if named in _NOUNS or named in _COMMANDS else whole()
    try:
        _refuse_unwritable(sys.argv[1:])
        app(prog_name="livinglab")
    except ValueError as error:
        # A number that has no room in a message, wherever a command took it from.
        if not str(error).startswith("Value out of range: "):
            raise
        _end(f"{str(error).rpartition(' ')[2]} is larger than any number here may be")


def _refuse_unwritable(arguments: Sequence[str]) -> None:
    """Messages are UTF-8; what a terminal of another encoding handed over has no place in one."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            _end(f"{argument.encode(errors='backslashreplace').decode()} is not UTF-8 text")


def _end(fault: str) -> NoReturn:
    """Wrong usage: a line on standard error, and the exit code for that."""
    sys.stderr.write(fault + "\n")
    raise SystemExit(2)


def _named(arguments: Sequence[str]) -> str:
    """What comes first after the options of the root, of which one takes a value."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--lang":
            next(rest, "")
        elif not argument.startswith("-"):
            return argument
    return ""


def _with(names: Iterable[str]) -> typer.Typer:
    app = typer.Typer(
        name="livinglab",
        help="Run a living lab program for digital government.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for name in names:
        if name in _NOUNS:
            app.add_typer(_found(_NOUNS[name], "app"), name=name)
        else:
            app.command(name)(_found(_COMMANDS[name], name))
    return app


def _found(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("livinglab"))
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
    lang: Annotated[
        str,
        typer.Option("--lang", metavar="id|en", help="The language of tables; else LIVINGLAB_LANG or the locale's."),
    ] = "",
) -> None:
    """Run a living lab program for digital government."""
    if lang:
        from cli.speak import language

        language.choose(lang)
