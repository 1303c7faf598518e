"""What goes back to a browser: pages and tables with their headers; whole, unchanged (304) or compressed."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# The one script of ours, which may make no markup but by the one policy that it names.
WITH_SCRIPT = f"{_CSP}; script-src 'self'; require-trusted-types-for 'script'; trusted-types papan"
SAFETY: Mapping[str, str] = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
HTML = "text/html; charset=utf-8"
CSV = "text/csv; charset=utf-8"
JSON = "application/json"
# Asked for again each time, which costs a 304 as long as nothing has changed.
_PUBLIC = "public, no-cache"
PRIVATE = "no-store"
_FEWEST_BYTES = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """Something that everybody may see, made once. `revision` changes with what the services said, on every replica
    alike, since it is made of the bytes themselves."""

    body: bytes
    compressed: bytes
    revision: str
    media: str
    status: int = 200


def answer(body: bytes, media: str, status: int = 200) -> Answer:
    """An answer of these bytes."""
    revision = hashlib.sha256(body).hexdigest()[:20]
    small = len(body) < _FEWEST_BYTES
    return Answer(body, b"" if small else gzip.compress(body, 6, mtime=0), revision, media, status)


def public(request: Request, made: Answer) -> Response:
    """The answer for this request: 304 where the browser has it, compressed where it takes that."""
    headers = {**SAFETY, "cache-control": _PUBLIC, "vary": "accept-encoding"}
    if made.status == 200:
        # Weak: the same revision, compressed or not.
        headers["etag"] = f'W/"{made.revision}"'
        if _has(request.headers.get("if-none-match", ""), made.revision):
            return Response(status_code=304, headers=headers)
    headers["content-type"] = made.media
    if made.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(made.compressed, made.status, headers)
    return Response(made.body, made.status, headers)


def private(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A page for one person, kept nowhere."""
    return Response(body, status, {**SAFETY, "content-type": HTML, "cache-control": PRIVATE, **(headers or {})})


def _has(given: str, revision: str) -> bool:
    return any(tag.strip().removeprefix("W/").strip('"') in (revision, "*") for tag in given.split(","))
