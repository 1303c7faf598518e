"""`make chaos SEEDS=200`: cohorts under the faults of many seeds, one after the other, each on its own platform."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.seeds.run import Outcome, run


def main() -> int:
    """Exit code 0 when every seed held. What a broken one left stays in its folder, which is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.seeds", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first one; with --seeds 1 that one alone, again")
    parser.add_argument(
        "--only", type=int, nargs="+", metavar="SEED", help="these, instead of so many from the first on"
    )
    options = parser.parse_args()
    seeds = options.only or range(options.first, options.first + options.seeds)
    outcomes: list[Outcome] = []
    try:
        outcomes += map(_one, seeds)
    except asyncio.CancelledError:
        print("stopped", file=sys.stderr)
    broken = [str(outcome.seed) for outcome in outcomes if not outcome.held]
    print(
        f"{len(outcomes) - len(broken)} of {len(outcomes)} seeds held" + (f"; not {', '.join(broken)}" * bool(broken))
    )
    return 1 if broken else 0


def _one(seed: int) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix=f"livinglab-seed-{seed}-"))
    outcome = asyncio.run(_interruptible(seed, folder))
    print(outcome, flush=True)
    if outcome.held:
        shutil.rmtree(folder)
    else:
        print(f"    its logs: {folder}", flush=True)
    return outcome


async def _interruptible(seed: int, folder: Path) -> Outcome:
    """SIGTERM and Ctrl-C stop what was started and give its disks back."""
    work = asyncio.ensure_future(run(seed, folder))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    return await work


if __name__ == "__main__":
    sys.exit(main())
