"""The broker's answers, message by message, some of them twice and some of them late."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

_LATEST_SECONDS = 2.0
_END = b"\r\n"


class Disorderly(Protocol):
    """What says how much disorder there is just now."""

    disorder: float
    dice: random.Random


class Frames:
    """Splits what the broker sends into its frames. Only facts are touched, which come with a place to acknowledge
    them: one that comes late has others of its thing before it, as when a broker delivers again."""

    def __init__(self, link: Disorderly, put: Callable[[bytes], object]) -> None:
        self._link = link
        self._put = put
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Some more of the stream."""
        self._rest += data
        while frame := self._next():
            self._give(frame)

    def _next(self) -> bytes:
        line, end, _ = self._rest.partition(_END)
        if not end:
            return b""
        size = len(line) + len(_END)
        if line.startswith((b"MSG ", b"HMSG ")):
            size += int(line.rpartition(b" ")[2]) + len(_END)
        if len(self._rest) < size:
            return b""
        frame, self._rest = self._rest[:size], self._rest[size:]
        return frame

    def _give(self, frame: bytes) -> None:
        dice, share = self._link.dice, self._link.disorder
        is_fact = b" $JS.ACK." in frame.partition(_END)[0]
        if not is_fact or dice.random() >= share:
            self._put(frame)
            return
        later = asyncio.get_running_loop().call_later
        if dice.random() < 0.5:
            self._put(frame)
        later(dice.uniform(0.05, _LATEST_SECONDS), self._put, frame)
