"""A whole platform into a folder while it runs, and back.

The order makes the parts agree. Streams come first: what the databases have published since is in their outboxes for an
hour and is published again, and facts that come again are known to the inboxes. Then Temporal: what workflows did since
is asked for again under the same request ids, which get their first answers. The databases come last, all at one
instant."""

import contextlib
import json
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stack.backup import databases, streams
from stack.doctor import facts_hold
from stack.doctor.examination import settled
from stack.doctor.finding import Finding
from stack.doctor.patient import Servers, examined
from stack.embedded import Ports, start_embedded
from stack.fleet import port_names
from stack.home import Home
from stack.system import SERVER_PORTS, configured_addresses, running_system

Tell = Callable[[str], None]

_MANIFEST = "backup.json"
_VERSION = 1
_TEMPORAL = "temporal.sqlite"
# Well within the hour for which an outbox keeps what was published.
_LONGEST_SECONDS = 3_000
_PATIENCE_SECONDS = 90.0


class BackupRefused(Exception):
    """Why a folder cannot be written or read, for the person who asked."""


def temporal_file(home: Home) -> Path | None:
    """The database of the Temporal that runs for this folder; None where somebody else runs it."""
    file = home.data / "temporal" / _TEMPORAL
    return file if not configured_addresses().temporal and file.exists() else None


async def save(
    servers: Servers,
    temporal: Path | None,
    folder: Path,
    tell: Tell,
    between: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Everything into an empty folder, for its owner alone. `between` is awaited before the databases are read."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BackupRefused(f"{folder} is not empty")
    folder.chmod(0o700)
    began, started = datetime.now(UTC), time.monotonic()
    tell(f"streams: {', '.join(await streams.save(servers.nats, folder / 'streams'))}")
    if temporal is None:
        tell("Temporal: not here; its own database is backed up now, by its own means, before this command goes on")
    else:
        _copied(temporal, folder / _TEMPORAL)
        tell("Temporal: its file")
    if between is not None:
        await between()
    counts = await databases.save(servers.mongodb, servers.prefix, folder / "databases")
    if time.monotonic() - started > _LONGEST_SECONDS:
        raise BackupRefused("it took so long that the outboxes no longer reach back to the streams")
    tell("databases: " + ", ".join(f"{count} documents of {name}" for name, count in counts.items()))
    told = {"version": _VERSION, "time": began.isoformat(), "temporal": temporal is not None, "documents": counts}
    # Last: a folder without it is not a backup.
    (folder / _MANIFEST).write_text(json.dumps(told, indent=2))


async def load(home: Home, folder: Path, tell: Tell, *, over: bool = False) -> list[Finding] | None:
    """Everything back: into the servers of this home, or into those that are configured; `over` what they have. Then
    the processes are started, the doctor looks, and all of it is stopped; None where somebody else runs the servers."""
    told = manifest(folder)
    configured = configured_addresses()
    if not configured.temporal and told["temporal"]:
        _place(folder / _TEMPORAL, home.data / "temporal" / _TEMPORAL, over)
    ports = home.ports([*SERVER_PORTS, *port_names()])
    platform = await start_embedded(
        home.data, addresses=configured, ports=Ports(**{name: ports[name] for name in SERVER_PORTS})
    )
    try:
        reached = platform.addresses
        await _load_servers(Servers(reached.mongodb, reached.nats), folder, tell, over)
    finally:
        await platform.stop()
    if configured.mongodb and configured.nats:
        tell("now start the processes, and then look: livinglab doctor")
        return None
    async with running_system(home) as system:
        return await settled(system.servers(), _PATIENCE_SECONDS)


async def _load_servers(servers: Servers, folder: Path, tell: Tell, over: bool) -> None:
    if not over and (
        await databases.any_there(servers.mongodb, servers.prefix) or await streams.any_there(servers.nats)
    ):
        raise BackupRefused("there is a platform already; --replace puts the backup in its place")
    counts = await databases.load(servers.mongodb, servers.prefix, folder / "databases")
    tell("databases: " + ", ".join(f"{count} documents of {name}" for name, count in counts.items()))
    tell(f"streams: {', '.join(await streams.load(servers.nats, folder / 'streams'))}")
    tell(f"published again from the outboxes: {await publish_again(servers)} facts")


async def publish_again(servers: Servers) -> int:
    """Marks what the streams lack of what was published, for the relays; how many facts."""
    async with examined(replace(servers, temporal=""), timedelta()) as patient:
        missing = await facts_hold.missing_from_streams(patient)
    return await databases.publish_again(servers.mongodb, servers.prefix, missing)


def manifest(folder: Path) -> dict[str, Any]:
    """What a backup says of itself; refused where there is no whole one."""
    try:
        found: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BackupRefused(f"{folder} holds no whole backup") from error
    if found["version"] != _VERSION:
        raise BackupRefused(f"{folder} was written by another release, in form {found['version']}")
    return found


def _copied(source: Path, target: Path) -> None:
    """A database that is being written to, as it is at one moment."""
    with contextlib.closing(sqlite3.connect(source)) as live, contextlib.closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
    target.chmod(0o600)


def _place(source: Path, target: Path, over: bool) -> None:
    if target.exists() and not over:
        raise BackupRefused("there is a platform already; --replace puts the backup in its place")
    target.parent.mkdir(parents=True, exist_ok=True)
    for rest in target.parent.glob(f"{target.name}*"):
        rest.unlink()
    shutil.copyfile(source, target)
