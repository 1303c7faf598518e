"""`make demo`: starts the platform, rehearses a cohort on it, shows what came of it, stops what it started."""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from livinglab.program.v1 import cohort_pb2
from rich.console import Console

from directory import official_regions
from programs.files.definition import CohortFile, check_cohort
from stack.binaries import ServerMissing
from stack.home import AlreadyRunning, Home, held, home_folder
from stack.process import ProcessFailed
from stack.rehearsal import invariants, report
from stack.rehearsal.conductor import Conductor
from stack.rehearsal.stage import Stage
from stack.servers import mails_folder
from stack.system import System, empty, start_system

_PROJECT = Path(__file__).resolve().parents[2]
_COHORT = _PROJECT / "programs" / "cohorts" / "living-lab-2022.yaml"
_SETTLE_SECONDS = 30.0


def main() -> int:
    """Exit code 0 when the cohort ended and every invariant holds, else 1."""
    parser = argparse.ArgumentParser(prog="python -m stack.rehearsal", description=__doc__)
    parser.add_argument("cohort", nargs="?", type=Path, default=_COHORT, help="a cohort file that is a rehearsal")
    parser.add_argument("--seed", default="2022", help="draws the actors; the same seed, the same people")
    parser.add_argument("--stay", action="store_true", help="leave the platform running at the end, until Ctrl-C")
    arguments = parser.parse_args()
    out = report.console()
    loaded = check_cohort(arguments.cohort, official_regions())
    if loaded.faults:
        for fault in loaded.faults:
            print(fault, file=sys.stderr)
        return 1
    home = Home(home_folder() / "rehearsal")
    try:
        with held(home):
            for part in (home.data, home.logs):
                empty(part)
            home.traces.unlink(missing_ok=True)
            return asyncio.run(_interruptible(out, home, loaded, arguments.seed, arguments.stay))
    except (AlreadyRunning, ServerMissing, ProcessFailed) as error:
        print(error, file=sys.stderr)
        return 1


async def _interruptible(out: Console, home: Home, loaded: CohortFile, seed: str, stay: bool) -> int:
    """Ctrl-C and SIGTERM end the rehearsal in order: what was started is stopped."""
    work = asyncio.ensure_future(_rehearse(out, home, loaded, seed, stay))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        print("stopped", file=sys.stderr)
        return 130


async def _rehearse(out: Console, home: Home, loaded: CohortFile, seed: str, stay: bool) -> int:
    started = time.monotonic()
    spec, definition = loaded.cohort.message, loaded.definition.message
    with out.status("starting mongod, nats-server, Temporal, a mail server and our processes ..."):
        system = await start_system(home)
    try:
        ready = time.monotonic() - started
        out.print(f"Platform ready in {ready:.1f} s. Workflows can be seen at {system.addresses().get('temporal_ui')}")
        out.print(f"Rehearsing {definition.title} with {len(spec.roster)} regions, a day in {spec.seconds_per_day} s.")
        out.print(f"{spec.note}\n", style="dim")
        stage = Stage(system.addresses(), system.fleet.issuer, spec.id)
        try:
            with report.Live(out) as live:
                cohort = await Conductor(stage, definition, spec, seed).run(live.show)
            findings = await _settled(system, cohort, stage)
            out.print()
            names = {code: region.name for code, region in official_regions().items()}
            await report.results(out, stage, definition, cohort, names)
        finally:
            await stage.close()
        report.invariants(out, findings)
        out.print(f"\n{time.monotonic() - started:.0f} s in all.")
        if stay:
            out.print(f"The public race: {system.fleet.console}/ (Ctrl-C stops the platform)")
            await asyncio.Event().wait()
        return 0 if all(f.holds for f in findings) and cohort.state == cohort_pb2.COHORT_STATE_COMPLETED else 1
    finally:
        await asyncio.shield(system.stop())


async def _settled(system: System, cohort: cohort_pb2.Cohort, stage: Stage) -> list[invariants.Finding]:
    """The last facts and mails may be on their way when the cohort ends: looks until all holds or time is up."""
    mailbox = system.platform.servers.get("mailbox")
    folder = mails_folder(mailbox.data_dir) if mailbox else None
    servers = system.platform.addresses
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        findings = await invariants.check(servers.mongodb, servers.nats, folder, cohort, stage.acknowledged)
        if all(finding.holds for finding in findings) or time.monotonic() > deadline:
            return findings
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
