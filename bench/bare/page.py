"""The least that a page can cost: a Starlette that answers every request with the bytes of a file."""

import argparse
import asyncio
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def serve(host: str, port: int, body: bytes) -> None:
    """Serves until it is ended; says `ready` first."""

    async def answer(_request: Request) -> Response:
        return Response(body, media_type="text/html")

    application = Starlette(routes=[Route("/", answer)])
    config = uvicorn.Config(
        application, host=host, port=port, http="h11", ws="none", lifespan="off", log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await serving


def main() -> None:
    """The address and the file are told on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare.page", description=__doc__)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--page", type=Path, required=True)
    told = parser.parse_args()
    host, _, port = told.listen.rpartition(":")
    uvloop.run(serve(host, int(port), told.page.read_bytes()))


if __name__ == "__main__":
    main()
