"""The broker's messages are told apart however they arrive in pieces, and only facts come twice or late."""

import asyncio
import random

from tests.chaos.seeds.disorder import Frames
from tests.harness.waiting import eventually

PLAIN = b"INFO {}\r\nPING\r\nMSG a.b 1 3\r\nx\r\n\r\n"
FACT = b"HMSG assessment.v1.Thing.32.11 7 $JS.ACK.ASSESSMENT.benchmark.1.4.4.0.0 12 15\r\nNATS/1.0\r\n\r\nabc\r\n"


class Link:
    def __init__(self, disorder: float) -> None:
        self.disorder = disorder
        self.dice = random.Random(1)


def taken(link: Link, data: bytes, piece: int) -> list[bytes]:
    given: list[bytes] = []
    frames = Frames(link, given.append)
    for start in range(0, len(data), piece):
        frames.take(data[start : start + piece])
    return given


def test_without_disorder_what_goes_in_comes_out() -> None:
    for piece in (1, 7, 1_000):
        given = taken(Link(0), PLAIN + FACT + PLAIN, piece)
        assert b"".join(given) == PLAIN + FACT + PLAIN
        assert FACT in given


async def test_facts_come_twice_or_late_and_nothing_else_does() -> None:
    given = taken(Link(1), (PLAIN + FACT) * 20, 64)

    def all_came() -> bool:
        return given.count(FACT) >= 20

    await eventually(all_came, timeout=10)
    await asyncio.sleep(0)
    assert b"".join(frame for frame in given if frame != FACT) == PLAIN * 20
