"""Starts a platform of its own, rehearses a cohort file on it with actors, shows what came of it, stops everything."""

import argparse
import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from livinglab.program.v1 import cohort_pb2, definition_pb2
from rich.console import Console

from directory import official_regions
from programs.files.definition import PROGRAMS, CohortFile, check_cohort
from stack.binaries import ServerMissing
from stack.embedded import Addresses
from stack.home import AlreadyRunning, Home, held, home_folder
from stack.process import ProcessFailed
from stack.rehearsal import invariants, report
from stack.rehearsal.conductor import Conductor
from stack.rehearsal.stage import Stage
from stack.servers import mails_folder
from stack.system import System, configured_addresses, empty, start_system

_COHORT = PROGRAMS / "cohorts" / "living-lab-2022.yaml"
SEED = "2022"
_SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Asked:
    """How somebody wants a rehearsal."""

    seed: str
    real_mail: bool
    as_json: bool
    # The platform runs on at the end, until Ctrl-C.
    stay: bool


def main() -> int:
    """`make demo`: the cohort of 2022, or another. Exit code as of `rehearse`."""
    parser = argparse.ArgumentParser(prog="python -m stack.rehearsal", description=__doc__)
    parser.add_argument("cohort", nargs="?", type=Path, default=_COHORT, help="a cohort file")
    parser.add_argument("--seed", default=SEED, help="draws the actors; the same seed, the same people")
    parser.add_argument("--stay", action="store_true", help="leave the platform running at the end, until Ctrl-C")
    arguments = parser.parse_args()
    return rehearse(arguments.cohort, seed=arguments.seed, stay=arguments.stay)


def rehearse(
    file: Path,
    *,
    seed: str = SEED,
    seconds_per_day: str = "",
    real_mail: bool = False,
    as_json: bool = False,
    stay: bool = False,
) -> int:
    """Exit code 0 when the cohort ended and every invariant holds, else 1. A cohort that is meant for real is made a
    rehearsal of its own id. Nobody on the roster is written to, unless `real_mail` says so. For machines the
    invariants go to standard output, everything else to standard error."""
    out = report.console(aside=as_json)
    loaded = check_cohort(file, official_regions())
    if loaded.faults:
        for fault in loaded.faults:
            print(fault, file=sys.stderr)
        return 1
    _as_rehearsal(loaded.cohort.message, seconds_per_day)
    home = Home(home_folder() / "rehearsal")
    try:
        with held(home):
            for part in (home.data, home.logs):
                empty(part)
            home.traces.unlink(missing_ok=True)
            return asyncio.run(_interruptible(out, home, loaded, Asked(seed, real_mail, as_json, stay)))
    except (AlreadyRunning, ServerMissing, ProcessFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _as_rehearsal(spec: definition_pb2.CohortSpec, seconds_per_day: str) -> None:
    if not spec.rehearsal:
        spec.rehearsal, spec.id = True, f"{spec.id}-rehearsal"
    spec.seconds_per_day = seconds_per_day or spec.seconds_per_day or "1.0"


async def _interruptible(out: Console, home: Home, loaded: CohortFile, asked: Asked) -> int:
    """Ctrl-C and SIGTERM end the rehearsal in order: what was started is stopped."""
    work = asyncio.ensure_future(_rehearse(out, home, loaded, asked))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        print("stopped", file=sys.stderr)
        return 130


async def _rehearse(out: Console, home: Home, loaded: CohortFile, asked: Asked) -> int:
    started = time.monotonic()
    spec, definition = loaded.cohort.message, loaded.definition.message
    with out.status("starting mongod, nats-server, Temporal, a mail server and our processes ..."):
        system = await start_system(home, addresses=_addresses(asked.real_mail))
    try:
        ready = time.monotonic() - started
        out.print(f"Platform ready in {ready:.1f} s. Workflows can be seen at {system.addresses().get('temporal_ui')}")
        out.print(f"Rehearsing {definition.title} with {len(spec.roster)} regions, a day in {spec.seconds_per_day} s.")
        out.print(f"{spec.note}\n", style="dim")
        stage = Stage(system.addresses(), system.fleet.issuer, spec.id)
        try:
            with report.Live(out) as live:
                cohort = await Conductor(stage, definition, spec, asked.seed).run(live.show)
            findings = await _settled(system, cohort, stage)
            out.print()
            names = {code: region.name for code, region in official_regions().items()}
            await report.results(out, stage, definition, cohort, names)
        finally:
            await stage.close()
        report.invariants(out, findings)
        if asked.as_json:
            print(json.dumps([finding.as_json() for finding in findings], indent=2))
        out.print(f"\n{time.monotonic() - started:.0f} s in all.")
        if asked.stay:
            out.print(f"The public race: {system.fleet.console}/ (Ctrl-C stops the platform)")
            await asyncio.Event().wait()
        return 0 if all(f.holds for f in findings) and cohort.state == cohort_pb2.COHORT_STATE_COMPLETED else 1
    finally:
        await asyncio.shield(system.stop())


def _addresses(real_mail: bool) -> Addresses:
    """Servers that somebody else runs, but not their mail server."""
    configured = configured_addresses()
    return replace(configured, rehearsal_smtp=configured.smtp if real_mail else "")


async def _settled(system: System, cohort: cohort_pb2.Cohort, stage: Stage) -> list[invariants.Finding]:
    """The last facts and mails may be on their way when the cohort ends: looks until all holds or time is up."""
    mailbox = system.platform.servers.get("mailbox")
    folder = mails_folder(mailbox.data_dir) if mailbox else None
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        findings = await invariants.check(system.servers(), folder, cohort, stage.writes)
        if all(finding.holds for finding in findings) or time.monotonic() > deadline:
            return findings
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
