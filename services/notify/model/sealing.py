"""Secrets of webhooks as they are kept: sealed with a key that the database does not hold (AES-256-GCM). Pure but for
chance.

A sealed one is `sealed:<key's id>:<base64 of nonce, ciphertext and tag>` and bound to its webhook: in another record it
cannot be opened. One that stands as it is, of a time without keys, is read as it is."""

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SEALED = "sealed"
_KEY_BYTES, _NONCE_BYTES = 32, 12
_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")


class CannotBeOpened(Exception):
    """Nothing can be signed with it: its key is not there, or what is kept was changed."""


class Seal:
    """The first key seals, each of them opens. Without any, secrets are kept as they are."""

    def __init__(self, keys: Sequence[tuple[str, bytes]] = ()) -> None:
        self._ciphers: Mapping[str, AESGCM] = {name: AESGCM(key) for name, key in keys}
        self._first = keys[0][0] if keys else ""

    @property
    def seals(self) -> bool:
        """Whether there is a key at all."""
        return bool(self._first)

    def seal(self, secret: str, webhook_id: str) -> str:
        """As it is kept for this webhook."""
        if not self._first:
            return secret
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self._first].encrypt(nonce, secret.encode(), webhook_id.encode())
        return f"{_SEALED}:{self._first}:{base64.b64encode(sealed).decode()}"

    def open(self, kept: str, webhook_id: str) -> str:
        """The secret itself. CannotBeOpened says in words why not."""
        form, _, rest = kept.partition(":")
        if form != _SEALED:
            return kept
        name, _, sealed = rest.partition(":")
        if (cipher := self._ciphers.get(name)) is None:
            raise CannotBeOpened(f"the key {name} that its secrets are sealed with is not in LIVINGLAB_WEBHOOK_KEYS")
        try:
            raw = base64.b64decode(sealed, validate=True)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], webhook_id.encode()).decode()
        except (binascii.Error, InvalidTag, ValueError):
            raise CannotBeOpened(f"its secrets do not open with the key {name}") from None

    def is_stale(self, kept: str) -> bool:
        """Whether it stands in plain, or under a key that is not the first, though there is a first."""
        return self.seals and not kept.startswith(f"{_SEALED}:{self._first}:")


def keys_of(text: str) -> list[tuple[str, bytes]]:
    """Of a file: a line each, `id base64-of-32-bytes`, the one that seals first; `#` begins a remark. ValueError names
    every line that is wrong, and never what it holds."""
    found, faults = list[tuple[str, bytes]](), list[str]()
    for number, line in _lines(text):
        name, _, written = line.partition(" ")
        try:
            key = base64.b64decode(written.strip(), validate=True)
        except binascii.Error:
            key = b""
        if not _ID.fullmatch(name) or len(key) != _KEY_BYTES:
            faults.append(f"line {number}: write an id, a blank and {_KEY_BYTES} bytes in base64")
        elif name in (one for one, _ in found):
            faults.append(f"line {number}: the id {name} is there already")
        found.append((name, key))
    if not found:
        faults.append("there is no key in it")
    if faults:
        raise ValueError("; ".join(faults))
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    numbered: Iterable[tuple[int, str]] = enumerate(text.splitlines(), start=1)
    for number, line in numbered:
        if stripped := line.partition("#")[0].strip():
            yield number, stripped
