"""The root of `livinglab`: every noun is registered here."""

from typing import Annotated

import typer

from cli import backup, doctor, institution, instrument, platform, rehearse, schedule
from cli.assessment import commands as assessment
from cli.cohort import commands as cohort
from cli.events import commands as events
from cli.evidence import commands as evidence
from cli.notify import commands as notify
from cli.notify import inbox
from cli.plan import agreement, coach, duties, session, visit
from cli.plan import progress as plan
from cli.practice import copying as practice
from cli.race import benchmark
from cli.race.ranking import ranking
from cli.release import commands as release
from cli.score import score
from cli.webhook import commands as webhook

app = typer.Typer(
    name="livinglab",
    help="Run a living lab program for digital government.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cohort.app, name="cohort")
app.add_typer(schedule.app, name="schedule")
app.add_typer(release.app, name="release")
app.add_typer(assessment.app, name="assessment")
app.add_typer(evidence.app, name="evidence")
app.add_typer(instrument.app, name="instrument")
app.add_typer(institution.app, name="institution")
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(coach.app, name="coach")
app.add_typer(session.app, name="session")
app.add_typer(agreement.app, name="agreement")
app.add_typer(visit.app, name="visit")
app.add_typer(practice.app, name="practice")
app.add_typer(plan.app, name="plan")
app.add_typer(notify.app, name="notify")
app.add_typer(inbox.app, name="inbox")
app.add_typer(events.app, name="events")
app.add_typer(webhook.app, name="webhook")
app.command("ranking")(ranking)
app.command("score")(score)
app.command("duties")(duties.duties)
app.command("rehearse")(rehearse.rehearse)
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("up")(platform.up)
app.command("down")(platform.down)
app.command("addresses")(platform.addresses)
app.command("login")(platform.login)


def main() -> None:
    """Run the command line; ends the process with the command's exit code."""
    app(prog_name="livinglab")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("livinglab"))
        raise typer.Exit


@app.callback()
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
