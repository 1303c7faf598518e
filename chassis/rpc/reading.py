"""Reads a request: only when the caller is known, and no more bytes than the method takes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from chassis import validation
from chassis.errors import Kind, Refused, Violation, invalid, invalid_field
from chassis.rpc.method import Method

_DRAIN_SECONDS = 2.0


class Reader:
    """Messages of one method: their size, their shape, their rules."""

    def __init__(self, method: Method, parse: Callable[[bytes], Message]) -> None:
        self._method = method
        self._parse = parse

    async def only(self, contents: AsyncIterator[bytes]) -> Any:
        """The one message of a call; INVALID_ARGUMENT names its faults."""
        async for content in contents:
            return self._checked(content, "")
        raise invalid_field("", "is required: the call carried no message")

    async def each(self, contents: AsyncIterator[bytes], seconds: float) -> AsyncIterator[Any]:
        """The messages of a stream, one at a time, each checked as a single one is; a caller who falls silent for
        longer than `seconds` holds nothing any more."""
        waiting, n = aiter(contents), 0
        while True:
            try:
                async with asyncio.timeout(seconds):
                    content = await anext(waiting)
            except StopAsyncIteration:
                return
            yield self._checked(content, f"messages[{n}].")
            n += 1

    def _checked(self, content: bytes, place: str) -> Any:
        most = self._method.most_bytes
        if len(content) > most:
            # Parsed it is many times as large, and would hold up everybody meanwhile.
            raise Refused(
                Kind.RESOURCE_EXHAUSTED,
                "REQUEST_TOO_LARGE",
                f"{self._method.name} takes messages of at most {most} bytes, this one has {len(content)}",
            )
        try:
            request = self._parse(content)
        except DecodeError as error:
            # The library would call it INTERNAL; it is the caller's fault.
            raise invalid_field(place.rstrip("."), "is not a message of this method") from error
        faults = validation.violations(request)
        if faults:
            raise invalid(Violation(place + fault.field, fault.description) for fault in faults)
        return request


async def drain(contents: AsyncIterator[bytes]) -> None:
    """A caller who is still sending takes the reset of its stream for the answer, so it may send on for a moment."""
    with contextlib.suppress(TimeoutError, grpc.RpcError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in contents:
                pass
