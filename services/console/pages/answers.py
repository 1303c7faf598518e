"""What goes back to a browser: pages and tables with their headers; whole, unchanged (304) or compressed."""

import gzip
import hashlib
import json
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
    """Something that everybody may see, made once and sent as it is to all who ask. `revision` changes with what the
    services said, on every replica alike, since it is made of the bytes themselves."""

    revision: str
    whole: Response
    compressed: Response | None
    unchanged: Response | None


def answer(body: bytes, media: str, status: int = 200, cache: str = _PUBLIC, **more: str) -> Answer:
    """An answer of these bytes; `more` are headers, with _ for -."""
    revision = hashlib.sha256(body).hexdigest()[:20]
    headers = {**SAFETY, "cache-control": cache, "vary": "accept-encoding"}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    unchanged = None
    if status == 200:
        # Weak: the same revision, compressed or not.
        headers["etag"] = f'W/"{revision}"'
        unchanged = Response(status_code=304, headers=headers)
    headers["content-type"] = media
    compressed = None
    if len(body) >= _FEWEST_BYTES:
        small = gzip.compress(body, 6, mtime=0)
        compressed = Response(small, status, {**headers, "content-encoding": "gzip"})
    return Answer(revision, Response(body, status, headers), compressed, unchanged)


def public(request: Request, made: Answer) -> Response:
    """The answer for this request: 304 where the browser has it, compressed where it takes that."""
    given = request.headers.get("if-none-match")
    if given and made.unchanged is not None and _has(given, made.revision):
        return made.unchanged
    if made.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return made.compressed
    return made.whole


def private(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A page for one person, kept nowhere."""
    return Response(body, status, {**SAFETY, "content-type": HTML, "cache-control": PRIVATE, **(headers or {})})


def told(said: Mapping[str, str], status: int = 200) -> Response:
    """What a script of ours asked for on behalf of one person."""
    return Response(json.dumps(said), status, {**SAFETY, "content-type": JSON, "cache-control": PRIVATE})


def _has(given: str, revision: str) -> bool:
    return any(tag.strip().removeprefix("W/").strip('"') in (revision, "*") for tag in given.split(","))
