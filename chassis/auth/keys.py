"""The public keys of a token issuer. Known keys are used without waiting, new ones are fetched when a token needs them,
and keys that the issuer has withdrawn are forgotten at the next refresh."""

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

# The issuer is asked at most this often, also while it fails.
_REFETCH_SECONDS = 10.0
# Until the first keys have arrived nobody can be served, so the issuer is asked more often.
_FIRST_SECONDS = 1.0
_FETCH_SECONDS = 5.0
_MOST_BYTES = 2**20


@dataclass(frozen=True)
class Keys:
    """The keys as the issuer sent them in one answer."""

    found: KeySet
    names: frozenset[str]
    # The answer's bytes, to see whether the next answer is another one.
    content: bytes


class Issued:
    """The keys of one issuer. A token with a known key is checked without waiting for the issuer. When several tokens
    with an unknown key arrive together, the issuer is asked once for all of them."""

    def __init__(self, url: str, refresh_seconds: float, changed: Callable[[], None]) -> None:
        """The keys are fetched again every `refresh_seconds`, so a key that the issuer has withdrawn is trusted no
        longer than that. `changed` is called when the issuer has sent other keys than before."""
        self._url = url
        self._refresh_seconds = refresh_seconds
        self._changed = changed
        self._keys: Keys | None = None
        self._asked = float("-inf")
        self._failed = False
        self._asking: asyncio.Task[None] | None = None
        # A thread of its own, so that an issuer that hangs does not use up the threads that others need.
        self._thread = ThreadPoolExecutor(1, "keys")

    def known(self) -> Keys | None:
        """The keys that were fetched last, without waiting. Starts a refresh in the background when they are old."""
        if time.monotonic() - self._asked > self._refresh_seconds:
            self._ask()
        return self._keys

    async def after(self, seen: Keys | None) -> Keys | None:
        """Newer keys than `seen`, after asking the issuer; None where it has no others. UNAVAILABLE where the issuer
        does not answer; without waiting if it failed a moment ago."""
        if self._keys is seen:
            pause = _FIRST_SECONDS if self._keys is None else _REFETCH_SECONDS
            if self._asking is None and time.monotonic() - self._asked > pause:
                self._ask()
            if self._asking is not None:
                # Others wait for the same answer: if this caller goes away, the question goes on.
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
        # An answer that cannot be read is treated like no answer.
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
        # The time-out is for one read alone: a slow or endless answer has to be ended here.
        while chunk := response.read1() if hasattr(response, "read1") else response.read(_MOST_BYTES):
            content += chunk
            if len(content) > _MOST_BYTES or time.monotonic() > until:
                raise OSError("the answer is too long")
    found = KeySet.import_key_set(json.loads(content))
    return Keys(found, frozenset(key.kid for key in found.keys if key.kid), content)
