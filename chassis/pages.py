"""Lists in pages: how much one answer holds, and where the next one starts.

A page_token is opaque, and bound to what was asked: with another filter it is refused, since it would skip or repeat
without anybody noticing. The number of rows a page may change from one to the next.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message

from chassis.errors import Refused, invalid_field

T = TypeVar("T")
# Bytes of a page; an answer may have twice as many.
LARGEST = 4 * 2**20
_UNASKED_SIZE = 100
_DIGEST_BYTES = 8
# No letter of base64: a token of ours is told from any other.
_MARK = "~"


def size(request: Any) -> int:
    """How many a list request wants at most, by its page_size."""
    return request.page_size or _UNASKED_SIZE


def after(request: Any) -> str:
    """The key that the request's page starts after, by its page_token; "" for the first page. INVALID_ARGUMENT for a
    token that is not ours, or was given for other filters."""
    if not request.page_token:
        return ""
    mark, text = request.page_token[:1], request.page_token[1:]
    try:
        digest, key = _split(base64.b64decode(text, altchars=b"-_", validate=True))
    except ValueError as error:
        raise _not_ours() from error
    if mark != _MARK or not key:
        raise _not_ours()
    if digest != _digest(request):
        raise invalid_field("page_token", "belongs to a list with other filters")
    return key


def token(request: Any, key: str) -> str:
    """The page_token for what comes after a key, for this request or one that differs in its page alone."""
    return _MARK + base64.urlsafe_b64encode(_digest(request) + key.encode()).decode()


async def page(
    collection: Any,
    keys: Mapping[str, Any],
    request: Any,
    read: Callable[[Any], T],
    by: tuple[str, int] | None = None,
    fields: Mapping[str, int] | None = None,
    session: Any = None,
) -> tuple[list[T], str]:
    """The documents of a collection that have these keys, each as `read` makes it, and the token of the next page, ""
    after the last.

    Ordered by id, or by a field (name and direction: 1 or -1) that no document changes, and by id among equals.
    `fields` is what of them is fetched, `session` that of a transaction which reads more beside them. A page ends
    where the next message would make the answer too large; it has one at least. INVALID_ARGUMENT as `after` says.
    """
    query = [dict(keys)]
    if last := after(request):
        query.append(await _beyond(collection, last, by, session))
    order = [by, ("_id", 1)] if by else [("_id", 1)]
    most, room = size(request), LARGEST
    found: list[T] = []
    last = ""
    cursor = collection.find({"$and": query}, dict(fields) if fields else None, session=session)
    cursor = cursor.sort(order).limit(most + 1)
    async for row in cursor:
        one = read(row)
        room -= one.ByteSize() if isinstance(one, Message) else 0
        if found and (len(found) == most or room < 0):
            return found, token(request, last)
        found.append(one)
        last = row["_id"]
    return found, ""


async def _beyond(collection: Any, last: str, by: tuple[str, int] | None, session: Any) -> dict[str, Any]:
    if by is None:
        return {"_id": {"$gt": last}}
    field, direction = by
    row = await collection.find_one({"_id": last}, {field: 1}, session=session)
    if row is None:
        raise _not_ours()
    at, further = row[field], "$gt" if direction > 0 else "$lt"
    return {"$or": [{field: {further: at}}, {field: at, "_id": {"$gt": last}}]}


def _split(whole: bytes) -> tuple[bytes, str]:
    return whole[:_DIGEST_BYTES], whole[_DIGEST_BYTES:].decode()


def _digest(request: Any) -> bytes:
    asked = type(request)()
    asked.CopyFrom(request)
    for field in ("page_size", "page_token"):
        asked.ClearField(field)
    text = asked.DESCRIPTOR.full_name.encode() + b" " + asked.SerializeToString(deterministic=True)
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


def _not_ours() -> Refused:
    return invalid_field("page_token", "is not one that this service gave")
