"""Wiring of the console process: pages over HTTP, health over gRPC as every process has it."""

from chassis import runtime, web
from services.console.api.calling import Api
from services.console.service import application
from services.console.session.neighbours import Neighbours


async def main(process: runtime.Process) -> None:
    """Serves pages; whether the services answer shows on the pages and keeps nobody from starting."""
    neighbours, api = Neighbours(process.anonymous_channel), Api(process.anonymous_channel)
    await web.serve(process, application(neighbours, api, process.settings, process.stopping))
    await process.serve()


if __name__ == "__main__":
    runtime.run("console", main)
