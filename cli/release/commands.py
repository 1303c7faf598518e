"""`livinglab release`: which build of the worker takes new cohorts; for the platform team, straight to Temporal."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from temporalio.client import Client

app = typer.Typer(help="Releases of the worker: which build takes new cohorts.", no_args_is_help=True)

BuildId = Annotated[str, typer.Argument(metavar="BUILD", help="The LIVINGLAB_BUILD_ID of its workers.")]
Temporal = Annotated[
    str, typer.Option("--temporal", metavar="HOST:PORT", help="Temporal's address; else as the running platform says.")
]
Namespace = Annotated[str, typer.Option("--namespace", envvar="LIVINGLAB_TEMPORAL_NAMESPACE")]


@app.command("list")
def list_builds(temporal: Temporal = "", namespace: Namespace = "default", as_json: AsJson = False) -> None:
    """List the builds, newest first: what share of new cohorts each takes, and which still have cohorts."""
    from cli.release import builds

    found = _ask(temporal, namespace, builds.builds)
    if as_json:
        print_json([asdict(build) for build in found])
        return
    rows = [(b.id, b.state, f"{b.percent:g} %", str(b.cohorts), str(b.workflows)) for b in found]
    columns = ["build", "state", "new cohorts", "running cohorts", "running workflows"]
    table(columns, rows, right=columns[2:])
    if found and not any(build.state == "current" for build in found):
        say("no build is current: new cohorts wait until 'livinglab release current BUILD' names one")


@app.command()
def ramp(
    build: BuildId,
    percent: Annotated[float, typer.Option("--percent", min=0, max=100, help="Share of new cohorts; 0 ends the ramp.")],
    temporal: Temporal = "",
    namespace: Namespace = "default",
    as_json: AsJson = False,
) -> None:
    """Send a share of the new cohorts to a build; those that run stay where they are."""
    from cli.release import builds

    _ask(temporal, namespace, lambda client: builds.ramp(client, build, percent))
    _done(f"{build} takes {percent:g} % of new cohorts", as_json, build=build, percent=percent)


@app.command()
def current(build: BuildId, temporal: Temporal = "", namespace: Namespace = "default", as_json: AsJson = False) -> None:
    """Send every new cohort to a build; those that run stay where they are. An older build rolls back."""
    from cli.release import builds

    _ask(temporal, namespace, lambda client: builds.make_current(client, build))
    _done(f"{build} takes new cohorts", as_json, build=build, percent=100)


def _ask(temporal: str, namespace: str, call: "Callable[[Client], Awaitable[Any]]") -> Any:
    from temporalio.service import RPCError

    from chassis.config import Settings
    from chassis.errors import Kind, Refused
    from chassis.temporal.client import connect, tls
    from cli.speak import connection

    target = temporal or connection.address("temporal")

    async def asked() -> Any:
        try:
            return await call(await connect(target, namespace, tls(Settings())))
        except (RPCError, RuntimeError) as error:
            raise Refused(Kind.UNAVAILABLE, "UNAVAILABLE", f"Temporal at {target} answers with: {error}") from error

    return connection.run(asked())


def _done(sentence: str, as_json: bool, **report: Any) -> None:
    if as_json:
        print_json(report)
    else:
        say(sentence)
