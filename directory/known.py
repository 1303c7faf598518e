"""The institutions that a process knows, by code: the official regions, and those registered beside them."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

from directory import Institution, is_code, official_regions, time_zone

# Of an institution that lies in no region.
_ELSEWHERE = "UTC"
_REMEMBERED = 1_000


class Directory(Mapping[str, Institution]):
    """Institutions by code. All are held in memory, so that a lookup costs nothing where a ranking needs a thousand."""

    def __init__(self, registered: Iterable[Institution] = ()) -> None:
        self._known = dict(official_regions())
        # Versions of those that were taken out.
        self._gone: dict[str, int] = {}
        self._news = asyncio.Event()
        self._in_vain: set[str] = set()
        self._listeners: list[Callable[[], None]] = []
        self.learn(registered)

    def __getitem__(self, code: str) -> Institution:
        return self._known[code]

    def __contains__(self, code: object) -> bool:
        return code in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, registered: Iterable[Institution]) -> None:
        """Takes what is newer than what is known; one that was taken out is not known any more. An official region
        stays as it is."""
        official = official_regions()
        newer = [one for one in registered if one.code not in official and one.version > self._version(one.code)]
        if not newer:
            return
        for one in newer:
            if one.withdrawn:
                self._known.pop(one.code, None)
                self._gone[one.code] = one.version
            else:
                self._known[one.code] = one
        for tell in self._listeners:
            tell()
        self._in_vain.clear()
        self._news.set()
        self._news = asyncio.Event()

    def _version(self, code: str) -> int:
        return self._known[code].version if code in self._known else self._gone.get(code, -1)

    def on_news(self, tell: Callable[[], None]) -> None:
        """Calls it after each change."""
        self._listeners.append(tell)

    async def heard_of(self, codes: Collection[str], seconds: float) -> bool:
        """Waits a moment for those that are not known: their registration may be on its way. Whether all are known.
        What was waited for in vain is not waited for again before there is news."""
        missing = {code for code in codes if code not in self._known}
        if missing & self._in_vain or not all(map(is_code, missing)):
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(code not in self._known for code in missing):
                    await self._news.wait()
                return True
        self._in_vain = set(sorted(missing)[:_REMEMBERED])
        return False

    def time_zone(self, code: str) -> str:
        """The IANA zone of an institution's clock: that of the region it lies in, by its parents; UTC elsewhere."""
        official, passed = official_regions(), set[str]()
        while code in self._known and code not in passed:
            if code in official:
                return time_zone(code)
            passed.add(code)
            code = self._known[code].parent
        return _ELSEWHERE

    def now(self, code: str) -> datetime:
        """The moment by an institution's clock: its date is the day there."""
        return datetime.now(ZoneInfo(self.time_zone(code)))
