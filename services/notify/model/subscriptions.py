"""Leaving a kind of letters by the address that stands in each of them: who may, what it turns off. Pure.

The address names the letter, whose record says whose it is and of which kind: it tells nothing of its reader, and holds
for as long as the letter is known."""

import hashlib
import hmac

from livinglab.notify.v1 import inbox_service_pb2
from livinglab.notify.v1 import service_pb2 as pb

from services.notify.model import preferences, seats

_PATHS = {"id": "/unsubscribe", "en": "/en/unsubscribe"}
# 128 bits: nobody tries as many.
_SIGNATURE = 32
_DIGEST, _INBOX = inbox_service_pb2.MANNER_DIGEST, inbox_service_pb2.MANNER_INBOX


class Addresses:
    """Makes and reads them, with one key for all replicas."""

    def __init__(self, console_url: str, key: bytes) -> None:
        """`console_url` is where browsers find the console; empty where there is none: then no letter has one."""
        self._console = console_url.rstrip("/")
        self._key = key

    def of(self, message: pb.Message) -> str:
        """Where its reader leaves letters of this kind; empty for one that nobody may leave, or that is nobody's."""
        if not self._console or message.rehearsal or not seats.of(message.recipient):
            return ""
        if not preferences.may_be_left(preferences.kind(message.template)):
            return ""
        return f"{self._console}{_PATHS[message.recipient.language]}/{message.id}.{self._signature(message.id)}"

    def letter(self, token: str) -> str:
        """The id of the letter whose address ends so; empty where it was not signed here."""
        message_id, _, signature = token.rpartition(".")
        signed = hmac.compare_digest(signature.encode(), self._signature(message_id).encode())
        return message_id if signed else ""

    def _signature(self, message_id: str) -> str:
        return hmac.new(self._key, f"unsubscribe:{message_id}".encode(), hashlib.sha256).hexdigest()[:_SIGNATURE]


def ended(wanted: inbox_service_pb2.Preferences, kind: str) -> bool:
    """Whether letters of that kind are in the inbox alone."""
    return without(wanted, kind) == wanted


def without(wanted: inbox_service_pb2.Preferences, kind: str) -> inbox_service_pb2.Preferences:
    """The same, and letters of that kind in the inbox alone: of `digests`, all that come together in the morning."""
    changed = inbox_service_pb2.Preferences()
    changed.CopyFrom(wanted)
    known = {one.kind: one for one in changed.kinds}
    if kind not in known and kind in preferences.CHOICE:
        known[kind] = changed.kinds.add(kind=kind)
    for one in known.values():
        if one.kind == kind or (kind == preferences.DIGESTS and one.manner == _DIGEST):
            one.manner = _INBOX if one.kind in preferences.CHOICE else one.manner
    return changed
