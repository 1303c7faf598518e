"""livinglab rehearse: a cohort file from start to end on a platform of its own, with actors."""

from pathlib import Path
from typing import Annotated

import typer

from cli.speak.output import AsJson


def rehearse(
    file: Annotated[Path, typer.Argument(help="A cohort file, with its roster beside it.", exists=True)],
    seed: Annotated[str, typer.Option(help="Draws the actors; the same seed, the same people.")] = "2022",
    seconds_per_day: Annotated[
        str, typer.Option(help="How long a day of the program takes; otherwise as the file says, or 1.0.")
    ] = "",
    real_mail: Annotated[
        bool, typer.Option(help="Write to the people of the roster, by LIVINGLAB_SMTP_ADDRESS, instead of a box here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Rehearse a cohort: every phase in seconds, with actors for its people; nobody real is written to."""
    from stack.rehearsal.__main__ import rehearse as run

    raise typer.Exit(run(file, seed=seed, seconds_per_day=seconds_per_day, real_mail=real_mail, as_json=as_json))
