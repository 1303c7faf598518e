"""`make pictures`: what the docs show of the console, taken of a rehearsal of the program of 2022 while it runs."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from livinglab.program.v1 import cohort_pb2

from directory import official_regions
from programs.files.definition import PROGRAMS, check_cohort
from stack.home import Home
from stack.rehearsal.__main__ import SEED
from stack.rehearsal.conductor import Conductor
from stack.rehearsal.stage import Stage
from stack.system import System, start_system
from tests.harness.browsing import browser

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "pictures"
COHORT = PROGRAMS / "cohorts" / "living-lab-2022.yaml"
WIDE, PHONE = {"width": 1180, "height": 760}, {"width": 390, "height": 760}
# The phase in whose course they are taken, and how many have done their duties by then.
_PHASE, _DONE = "workshop", 20
_REGION = "33.74"


async def taken(console: str, name: str, size: dict[str, int], who: tuple[str, str, str], path: str) -> None:
    """One page as that person sees it, as high as the window."""
    role, institution, subject = who
    async with browser(viewport=size, color_scheme="light") as context:
        page = await context.new_page()
        await page.goto(f"{console}/sign-in?next=/work")
        await page.select_option("select[name=role]", role)
        await page.fill("input[name=institution]", institution)
        await page.fill("input[name=subject]", subject)
        await page.click("button")
        await page.wait_for_url("**/work")
        await page.goto(console + path)
        await page.evaluate("() => document.fonts.ready")
        await page.screenshot(path=FOLDER / f"{name}.png")


async def rehearsed(system: System) -> None:
    """The pictures, in the order in which there is something to see."""
    loaded = check_cohort(COHORT, official_regions())
    spec, definition = loaded.cohort.message, loaded.definition.message
    stage = Stage(system.addresses(), system.fleet.issuer, spec.id)
    under_way = asyncio.Event()

    def watch(cohort: cohort_pb2.Cohort) -> None:
        if any(phase.phase == _PHASE and phase.done >= _DONE for phase in cohort.phases):
            under_way.set()

    console, manager = system.fleet.console, ("manager", "", "pengelola")
    try:
        playing = asyncio.create_task(Conductor(stage, definition, spec, SEED).run(watch))
        waiting = asyncio.create_task(under_way.wait())
        await asyncio.wait({playing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        await taken(console, "cohort", WIDE, manager, f"/cohorts/{spec.id}")
        await taken(console, "work", PHONE, ("head", _REGION, "kadis"), "/work")
        for task in (playing, waiting):
            task.cancel()
        await asyncio.gather(playing, waiting, return_exceptions=True)
    finally:
        await stage.close()


async def main() -> int:
    """Exit code 0 once each picture lies in its folder."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        system: Any = await start_system(Home(Path(folder)))
        try:
            await rehearsed(system)
        finally:
            await system.stop()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
