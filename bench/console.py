"""The public race of 600 in the browser, against a bare Starlette that answers the same bytes; a region's page."""

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import nats

from bench import race_facts
from bench.race_facts import BODIES, INSTRUMENT, YEARS
from bench.rows import Row, at_least, middle, percentile, within
from stack.ports import free_port
from stack.process import Process, python_argv
from stack.system import System
from stack.waiting import eventually

IN_FLIGHT, _REQUESTS, _ROUNDS = 32, 3_200, 5
# Regions whose pages are asked for, each once and by a visitor of its own, so that none was made for another.
_WARM, _REGIONS, _VISITORS = 20, 400, 4


async def rows(system: System) -> AsyncIterator[Row]:
    """Rates at 32 in flight, rounds of ours and bare in turn, the median of each."""
    nc = await nats.connect(system.platform.addresses.nats)
    async with nc:
        await race_facts.fill(nc, race_facts.facts(0, BODIES * len(YEARS)))
    path = f"/?instrument={INSTRUMENT}&period={YEARS[-1]}&stage=self-assessment"

    async def whole() -> bytes:
        body = await _page(system.fleet.console, path)
        return body if f"dari {BODIES}".encode() in body else b""

    page = system.home.folder / "page.html"
    page.write_bytes(await eventually(whole, timeout=300))
    address = f"127.0.0.1:{free_port()}"
    argv = python_argv("bench.bare.page", "--listen", address, "--page", str(page))
    bare = Process("bare-page", argv, log_path=system.home.logs / "bare-page.log")
    await bare.start()
    await bare.wait_for_line("ready", timeout=30)
    ours, other = [], []
    try:
        for _ in range(_ROUNDS):
            ours.append(await _rate(system.fleet.console, path))
            other.append(await _rate(f"http://{address}", "/"))
    finally:
        await bare.stop()
    what = f"public race of {BODIES}, {IN_FLIGHT} in flight"
    yield at_least("public-race", what, middle(ours), middle(other), "1/s", 0.6)
    found = await _regions(system.fleet.console)
    text = f"a region's page made anew, p95 of {len(found)}, {_VISITORS} visitors at once, every service behind it"
    yield within("region-page", text, percentile(found, 0.95), 150, "ms")


async def _regions(base: str) -> list[float]:
    """Milliseconds of each page, after some that are not counted."""
    codes = iter(list(enumerate(race_facts.bodies()[: _WARM + _REGIONS])))
    found: list[float] = []

    async def visiting() -> None:
        for place, code in codes:
            began = time.perf_counter()
            await _asking(base, f"/r/{code}", 1, f"x-forwarded-for: 10.1.{place // 250}.{place % 250}\r\n")
            if place >= _WARM:
                found.append((time.perf_counter() - began) * 1_000)

    await asyncio.gather(*(visiting() for _ in range(_VISITORS)))
    return found


async def _rate(base: str, path: str) -> float:
    """Answers a second, over so many connections that stay open."""
    began = time.perf_counter()
    await asyncio.gather(*(_asking(base, path, _REQUESTS // IN_FLIGHT) for _ in range(IN_FLIGHT)))
    return _REQUESTS / (time.perf_counter() - began)


async def _page(base: str, path: str) -> bytes:
    return await _asking(base, path, 1)


async def _asking(base: str, path: str, times: int, more: str = "") -> bytes:
    """The last answer of so many on one connection; what is not 200 ends the measurement."""
    host, port = urlsplit(base).hostname, urlsplit(base).port
    reader, writer = await asyncio.open_connection(host, port)
    asked = f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\n{more}\r\n".encode()
    body = b""
    try:
        for _ in range(times):
            writer.write(asked)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(size)
    finally:
        writer.close()
    return body
