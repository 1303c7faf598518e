"""The embedded servers, one function each: how mongod, nats-server, Temporal and the mailbox are run on this machine.

Each keeps its data, its log and its settings in the folder it is given and listens on the loopback address only.
"""

import json
import os
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from programs.names import SEARCH_ATTRIBUTES
from stack import binaries, ready
from stack.access import SYSTEM
from stack.mailbox import READY_LINE
from stack.ports import LOOPBACK, free_port, free_ports
from stack.process import Process, python_argv

START_SECONDS = 60.0
# With less on the disk a new start ends no fault.
_ROOM_BYTES = 32 * 2**20
# Longer than any transaction of ours goes on.
TRANSACTION_SECONDS = 15
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Address:
    """A host and a port; `str()` gives `host:port`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Server:
    """One embedded server. After `stop` or `kill` it can be started again, on the same port and the same data."""

    def __init__(
        self,
        process: Process,
        address: Address,
        is_ready: Callable[[], Coroutine[Any, Any, object]],
        *,
        uri: str,
        data_dir: Path,
        ui: str = "",
        ails: Callable[[], Coroutine[Any, Any, str]] | None = None,
    ) -> None:
        """`uri` is what its clients are given, `ui` the URL of its web pages if it has any, `ails` what tells of a
        fault that it lives with and only a new start ends; an empty text while there is none."""
        self.process = process
        self.name = process.name
        self.address = address
        self.uri = uri
        self.data_dir = data_dir
        self.ui = ui
        self._is_ready = is_ready
        self._ails = ails

    @property
    def pid(self) -> int:
        """The id of the last started process."""
        return self.process.pid

    @property
    def log_path(self) -> Path:
        """The file that holds the output of every run."""
        return self.process.log_path

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.process.running

    async def ails(self) -> str:
        """A fault that it lives with, which a new start would end now; empty where there is none."""
        if self._ails is None or shutil.disk_usage(self.data_dir).free < _ROOM_BYTES:
            return ""
        return await self._ails()

    async def start(self) -> None:
        """Start and wait until it does its work; ProcessFailed with the end of its log if it does not."""
        await self.process.start()
        try:
            await self.process.wait_ready(self._is_ready(), timeout=START_SECONDS)
        except BaseException:
            await self.process.kill()
            raise

    async def stop(self) -> None:
        """End it in order."""
        await self.process.stop()

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        await self.process.kill()

    async def restart(self) -> None:
        """Stop it and start it again."""
        await self.stop()
        await self.start()


def mongod(data_dir: Path, port: int = 0, *, test_commands: bool = False) -> Server:
    """mongod as a one-node replica set, so that transactions and change streams work.

    `test_commands` allows `configureFailPoint`, which tests use to make commands fail.
    """
    address = Address(LOOPBACK, port or free_port())
    database = _folder(data_dir / "db")
    argv = [str(binaries.find(binaries.MONGOD)), "--dbpath", str(database), "--replSet", ready.REPLICA_SET, "--quiet"]
    argv += ["--bind_ip", address.host, "--port", str(address.port), "--nounixsocket"]
    argv += ["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "512"]
    argv += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    # A lone primary has nobody to hand over to: do not keep clients waiting for it when it stops.
    argv += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
    # What a process had open when it was killed stays open on the server, and its documents locked: a minute otherwise.
    argv += ["--setParameter", f"transactionLifetimeLimitSeconds={TRANSACTION_SECONDS}"]
    if test_commands:
        argv += ["--setParameter", "enableTestCommands=1"]
    return Server(
        Process("mongod", argv, log_path=data_dir / "mongod.log"),
        address,
        lambda: ready.mongod_is_primary(address.host, address.port),
        # As in production: one that is just starting again is not asked, a connection made then never has sessions.
        uri=f"mongodb://{address}/?replicaSet={ready.REPLICA_SET}",
        data_dir=data_dir,
    )


def nats(data_dir: Path, port: int = 0, accounts: str = "") -> Server:
    """nats-server with JetStream that acknowledges a message after it is on the disk. `accounts` is a part of its
    configuration, see stack.access; without it whoever reaches it may do everything."""
    address, monitor = Address(LOOPBACK, port or free_port()), Address(LOOPBACK, free_port())
    config = _folder(data_dir) / "nats-server.conf"
    store = json.dumps(str(data_dir / "jetstream"))
    config.write_text(
        f'server_name: livinglab\nlisten: "{address}"\nhttp: "{monitor}"\nmax_payload: 1MB\n'
        f"jetstream {{\n  store_dir: {store}\n  sync_interval: always\n}}\n{accounts}"
    )
    if accounts:
        _own_account(data_dir / "jetstream" / "jetstream")
    uri = f"nats://{address}"
    return Server(
        Process(
            "nats-server",
            [str(binaries.find(binaries.NATS_SERVER)), "--config", str(config)],
            log_path=data_dir / "nats-server.log",
        ),
        address,
        lambda: ready.jetstream_answers(uri, address.host, address.port),
        uri=uri,
        data_dir=data_dir,
        ails=lambda: ready.jetstream_ails(monitor.host, monitor.port),
    )


def _own_account(streams: Path) -> None:
    """What was stored while there were no accounts belongs to the system's."""
    before, after = streams / "$G", streams / SYSTEM
    if before.exists() and not after.exists():
        before.rename(after)


def temporal(data_dir: Path, port: int = 0, ui_port: int = 0) -> Server:
    """The Temporal development server with its web UI on `ui_port` and a file as its database."""
    address = Address(LOOPBACK, port or free_port())
    ui, http, metrics = ui_port or free_port(), *free_ports(2)
    argv = [
        str(binaries.find(binaries.TEMPORAL)),
        "server",
        "start-dev",
        "--disable-config-file",
        "--disable-config-env",
    ]
    argv += ["--ip", address.host, "--port", str(address.port), "--ui-ip", address.host, "--ui-port", str(ui)]
    argv += ["--http-port", str(http), "--metrics-port", str(metrics), "--ui-disable-news-fetch"]
    argv += ["--db-filename", str(_folder(data_dir) / "temporal.sqlite")]
    argv += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    # Its default polling pace protects a cluster; measured: a one-activity workflow takes 30 instead of 50 ms.
    argv += ["--dynamic-config-value", "history.transferProcessorMaxPollRPS=200"]
    # A build of the worker whose cohorts have ended counts as drained after a second instead of minutes.
    for pace in ("VersionDrainageStatusVisibilityGracePeriod", "VersionDrainageStatusRefreshInterval"):
        argv += ["--dynamic-config-value", f'matching.wv.{pace}="1s"']
    for attribute in SEARCH_ATTRIBUTES:
        argv += ["--search-attribute", f"{attribute}=Keyword"]
    quiet = {"TEMPORAL_VERSION_CHECK_DISABLED": "1"}
    return Server(
        Process("temporal", argv, log_path=data_dir / "temporal.log", env=quiet),
        address,
        lambda: ready.temporal_serves(str(address)),
        uri=str(address),
        data_dir=data_dir,
        ui=f"http://{LOOPBACK}:{ui}",
    )


def mailbox(data_dir: Path, port: int = 0) -> Server:
    """The stand-in for a mail relay; `stack.mailbox` reads and steers what it keeps in `mails_folder(data_dir)`."""
    address = Address(LOOPBACK, port or free_port())
    argv = python_argv("stack.mailbox", "--folder", str(mails_folder(data_dir)), "--port", str(address.port))
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    process = Process("mailbox", argv, log_path=data_dir / "mailbox.log", env={"PYTHONPATH": search})
    return Server(process, address, lambda: process.logged(READY_LINE), uri=str(address), data_dir=data_dir)


def mails_folder(data_dir: Path) -> Path:
    """Where the mailbox that was given `data_dir` keeps the mails and its behaviour."""
    return data_dir / "mails"


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
