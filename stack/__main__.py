"""The process behind `livinglab up`: runs the platform of one folder until it is told to stop, and restarts what
ends."""

import asyncio
import signal
import sys
from contextlib import suppress

from stack.binaries import ServerMissing
from stack.embedded import Platform
from stack.home import AlreadyRunning, Home, held, home_folder
from stack.process import ProcessFailed
from stack.system import System, start_system

_LOOK_SECONDS = 0.5
_EXAMINE_SECONDS = 5.0
_TOKEN_SECONDS = 6 * 3600


async def supervise(home: Home) -> None:
    """Starts everything, starts again whatever ends by itself, stops everything at SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    starting = asyncio.ensure_future(start_system(home))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({starting, told}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    system = starting.result()
    keepers = [asyncio.create_task(work) for work in (_mend(system), _heal(system.platform), _renew_token(system))]
    try:
        await told
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await system.stop()


async def _mend(system: System) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        ended = [s for s in system.platform.servers.values() if not s.running]
        ended += [m for m in system.fleet.members.values() if not m.running]  # type: ignore[misc]
        for one in ended:
            _tell(f"{one.name} ended; starting it again")
            try:
                await one.start()
            except (ProcessFailed, OSError) as error:
                # A disk that is full will have room again.
                _tell(str(error))


async def _heal(platform: Platform) -> None:
    """A server that lives and does not do its work is started anew."""
    while True:
        await asyncio.sleep(_EXAMINE_SECONDS)
        for server in platform.servers.values():
            if server.running and (fault := await server.ails()):
                _tell(f"{server.name} is started anew: {fault}")
                # `_mend` starts it.
                await server.stop()


async def _renew_token(system: System) -> None:
    while True:
        await asyncio.sleep(_TOKEN_SECONDS)
        try:
            system.fleet.write_token()
        except OSError as error:
            _tell(str(error))


def _tell(text: str) -> None:
    """Into the log; where that is full, the work goes on without."""
    with suppress(OSError):
        print(text, flush=True)


def main() -> int:
    """Exit code 0 after an orderly stop."""
    home = Home(home_folder())
    try:
        with held(home):
            asyncio.run(supervise(home))
    except (AlreadyRunning, ServerMissing, ProcessFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
