"""livinglab backup and restore: everything that a platform keeps, while it runs, and its way back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.doctor import show
from cli.speak.output import AsJson, fail, print_json, say
from cli.speak.servers import servers
from stack.home import AlreadyRunning, Home, held, home_folder

_REFUSALS = (AlreadyRunning, OSError)


def backup(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one to be made.")], as_json: AsJson = False
) -> None:
    """Copy databases, streams and Temporal into a folder, while everything runs.

    The servers are those of the platform that runs here, or those that LIVINGLAB_MONGO_URI and LIVINGLAB_NATS_URL name.
    """
    from stack.backup import whole
    from stack.backup.streams import StreamRefused

    home = Home(home_folder())
    try:
        asyncio.run(whole.save(servers(), whole.temporal_file(home), folder, _aside if as_json else say))
    except (whole.BackupRefused, StreamRefused, *_REFUSALS) as refused:
        fail(str(refused))
    if as_json:
        print_json(whole.manifest(folder))
    else:
        say(f"backup in {folder}")


def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `livinglab backup` has written.", exists=True)],
    replace: Annotated[bool, typer.Option(help="In the place of the platform that is here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back while no process runs, and examine what came of it. Exit code 1 where something disagrees."""
    from stack.backup import whole
    from stack.backup.streams import StreamRefused

    home = Home(home_folder())
    try:
        with held(home):
            findings = asyncio.run(whole.load(home, folder, _aside if as_json else say, over=replace))
    except (whole.BackupRefused, StreamRefused, *_REFUSALS) as refused:
        fail(str(refused))
    if findings is not None:
        show(findings, as_json)


def _aside(text: str) -> None:
    typer.echo(text, err=True)
