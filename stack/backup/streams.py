"""Streams with their messages and their readers' places, as the broker itself writes them out and takes them in."""

import json
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chassis import naming, tls
from chassis.config import Settings
from chassis.events import facts

_API = "$JS.API.STREAM"
_CHUNK_BYTES = 128 * 1024
# The broker may have to read from its disk before it answers.
_ANSWER_SECONDS = 60.0


class StreamRefused(Exception):
    """What the broker would not write out or take in, in its words."""


async def save(nats_url: str, folder: Path) -> list[str]:
    """Every stream of ours as two files, its settings and its contents; the names of those that there were."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    async with await _connected(nats_url) as nc:
        for stream in map(naming.stream, facts.services()):
            if await _exists(nc, stream):
                await _save_one(nc, stream, folder)
                saved.append(stream)
    return saved


async def load(nats_url: str, folder: Path) -> list[str]:
    """Streams as they were saved, in the place of those that are there."""
    loaded = []
    async with await _connected(nats_url) as nc:
        for settings in sorted(folder.glob("*.json")):
            if await _exists(nc, settings.stem):
                await nc.jetstream().delete_stream(settings.stem)
            await _load_one(nc, settings.stem, settings, settings.with_suffix(".snapshot"))
            loaded.append(settings.stem)
    return loaded


async def any_there(nats_url: str) -> bool:
    """Whether the broker has streams of ours."""
    async with await _connected(nats_url) as nc:
        return any([await _exists(nc, naming.stream(service)) for service in facts.services()])


async def _connected(nats_url: str) -> Client:
    """By TLS as the settings say; closed by whoever asked."""
    return await nats.connect(nats_url, max_reconnect_attempts=3, tls=tls.of(Settings()).context())


async def _exists(nc: Client, stream: str) -> bool:
    try:
        await nc.jetstream().stream_info(stream)
    except NotFoundError:
        return False
    return True


async def _save_one(nc: Client, stream: str, folder: Path) -> None:
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    asked = {"deliver_subject": inbox, "chunk_size": _CHUNK_BYTES, "no_consumers": False, "jsck": True}
    told = await _asked(nc, f"{_API}.SNAPSHOT.{stream}", asked)
    (folder / f"{stream}.json").write_text(json.dumps({"config": told["config"], "state": told["state"]}))
    with (folder / f"{stream}.snapshot").open("wb") as file:
        while True:
            chunk = await subscription.next_msg(timeout=_ANSWER_SECONDS)
            if not chunk.data:
                # The end; in trouble it says which.
                if (chunk.headers or {}).get("Status", "204") != "204":
                    raise StreamRefused(f"{stream}: {chunk.headers}")
                break
            file.write(chunk.data)
            if chunk.reply:
                # The next ones are sent when some were taken.
                await chunk.respond(b"")
    await subscription.unsubscribe()


async def _load_one(nc: Client, stream: str, settings: Path, contents: Path) -> None:
    told = await _asked(nc, f"{_API}.RESTORE.{stream}", json.loads(settings.read_text()))
    subject = told["deliver_subject"]
    with contents.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            _refusal(stream, (await nc.request(subject, chunk, timeout=_ANSWER_SECONDS)).data)
    _refusal(stream, (await nc.request(subject, b"", timeout=_ANSWER_SECONDS)).data)


async def _asked(nc: Client, subject: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = await nc.request(subject, json.dumps(request).encode(), timeout=_ANSWER_SECONDS)
    except (TimeoutError, NatsError) as error:
        raise StreamRefused(f"{subject}: {error}") from error
    _refusal(subject, answer.data)
    told: dict[str, Any] = json.loads(answer.data)
    return told


def _refusal(about: str, answer: bytes) -> None:
    told = json.loads(answer) if answer.startswith(b"{") else {}
    if error := told.get("error"):
        raise StreamRefused(f"{about}: {error.get('description', error)}")
