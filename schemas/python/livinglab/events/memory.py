"""What a subscriber remembers of the facts that it has settled: which, and the newest version of each thing."""

import sqlite3
from collections import OrderedDict
from pathlib import Path

from livinglab.events.facts import Fact

_KEPT = 100_000


class Memory:
    """In the process, of the last `kept` facts and things: after a restart what was settled is known no more."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._versions: OrderedDict[str, int] = OrderedDict()
        self._kept = kept

    def knows(self, fact: Fact) -> bool:
        """Whether it was settled."""
        return fact.id in self._ids

    def newest(self, fact: Fact) -> int | None:
        """Version of the thing that the fact is about, as last settled."""
        return self._versions.get(thing(fact))

    def keep(self, fact: Fact) -> None:
        """It is settled."""
        self._ids[fact.id] = None
        name = thing(fact)
        self._versions[name] = max(fact.version, self._versions.pop(name, 0))
        for rows in (self._ids, self._versions):
            while len(rows) > self._kept:
                rows.popitem(last=False)


class FileMemory(Memory):
    """In a file, over restarts; of all facts there ever were. One process at a time."""

    def __init__(self, path: Path | str) -> None:
        super().__init__()
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = wal")
        self._db.execute("CREATE TABLE IF NOT EXISTS settled (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("CREATE TABLE IF NOT EXISTS newest (thing TEXT PRIMARY KEY, version INTEGER) WITHOUT ROWID")

    def knows(self, fact: Fact) -> bool:
        """Whether it was settled."""
        return self._db.execute("SELECT 1 FROM settled WHERE id = ?", (fact.id,)).fetchone() is not None

    def newest(self, fact: Fact) -> int | None:
        """Version of the thing that the fact is about, as last settled."""
        row = self._db.execute("SELECT version FROM newest WHERE thing = ?", (thing(fact),)).fetchone()
        return int(row[0]) if row else None

    def keep(self, fact: Fact) -> None:
        """It is settled."""
        self._db.execute("BEGIN")
        self._db.execute("INSERT OR IGNORE INTO settled VALUES (?)", (fact.id,))
        self._db.execute(
            "INSERT INTO newest VALUES (?, ?) "
            "ON CONFLICT (thing) DO UPDATE SET version = max(version, excluded.version)",
            (thing(fact), fact.version),
        )
        self._db.execute("COMMIT")

    def close(self) -> None:
        """No more is kept."""
        self._db.close()


def thing(fact: Fact) -> str:
    """What the fact is about, over all sources."""
    return f"{fact.source} {fact.subject}"
