"""The keys that a token issuer signs with: known ones at once, new ones when they appear, old ones gone in time."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from joserfc.jwk import KeySet

from chassis import telemetry
from chassis.errors import unavailable

# Shortest time between two questions to the issuer, whatever its answer to the first was.
_REFETCH_SECONDS = 10.0
# As long as no key is known at all, nobody is served: the issuer is asked more often.
_FIRST_SECONDS = 1.0
_FETCH_SECONDS = 5.0
_MOST_BYTES = 2**20


@dataclass(frozen=True)
class Keys:
    """The keys of one answer of the issuer."""

    found: KeySet
    names: frozenset[str]
    # As the issuer wrote them.
    content: bytes


class Issued:
    """What one issuer signs with. Who shows a key that is known never waits for the issuer; of all who wait for an
    unknown one, the issuer is asked once."""

    def __init__(self, url: str, refresh_seconds: float, changed: Callable[[], None]) -> None:
        """Asks again every `refresh_seconds`, so that a key taken out of the set is trusted no longer than that;
        `changed` is called when the set is another one."""
        self._url = url
        self._refresh_seconds = refresh_seconds
        self._changed = changed
        self._keys: Keys | None = None
        self._asked = float("-inf")
        self._failed = False
        self._asking: asyncio.Task[None] | None = None
        # A thread of its own: an issuer that hangs takes none of those that others need.
        self._thread = ThreadPoolExecutor(1, "keys")

    def known(self) -> Keys | None:
        """The keys as last seen, at once; asks for them anew in the background when that was long ago."""
        if time.monotonic() - self._asked > self._refresh_seconds:
            self._ask()
        return self._keys

    async def after(self, seen: Keys | None) -> Keys | None:
        """The keys once the issuer was asked again, or None where there are no others than those `seen`. UNAVAILABLE
        where it does not answer, at once where that is known already."""
        if self._keys is seen:
            pause = _FIRST_SECONDS if self._keys is None else _REFETCH_SECONDS
            if self._asking is None and time.monotonic() - self._asked > pause:
                self._ask()
            if self._asking is not None:
                # One caller's end is not the end of the question.
                await asyncio.shield(self._asking)
        if self._keys is not seen:
            return self._keys
        if self._failed:
            raise unavailable("the token issuer")
        return None

    def _ask(self) -> None:
        if self._asking is None:
            self._asked = time.monotonic()
            self._asking = asyncio.create_task(self._fetch(), name="keys")

    async def _fetch(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(_FETCH_SECONDS):
                found = await loop.run_in_executor(self._thread, _read, self._url)
        # An issuer that answers nonsense is one that does not answer.
        except Exception as error:
            self._failed = True
            telemetry.log.warning("no keys from the token issuer", because=f"{type(error).__name__}: {error}"[:200])
        else:
            self._failed = False
            if self._keys is None or found.content != self._keys.content:
                self._keys = found
                self._changed()
        finally:
            self._asking = None


def _read(url: str) -> Keys:
    until = time.monotonic() + _FETCH_SECONDS
    content = b""
    with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as response:
        # An issuer may send a byte every second, or no end of them.
        while chunk := response.read1() if hasattr(response, "read1") else response.read(_MOST_BYTES):
            content += chunk
            if len(content) > _MOST_BYTES or time.monotonic() > until:
                raise OSError("the answer is too long")
    found = KeySet.import_key_set(json.loads(content))
    return Keys(found, frozenset(key.kid for key in found.keys if key.kid), content)
