"""A provider of short messages (WhatsApp, SMS) over HTTP, as the platform team describes it: what is sent to it, and
what its answers mean. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from livinglab.notify.v1 import service_pb2 as pb
from pydantic import BaseModel, ConfigDict, Field

from services.notify.model.messages import Outcome, Taken, Turned, Unreachable

_FIELD = re.compile(r"\{(\w+)\}")
_OF_HEADERS = frozenset({"id", "phone", "digits", "language", "secret"})
_OF_BODIES = _OF_HEADERS | {"subject", "text"}
# Not allowed in, or sent elsewhere: how we are set up, and no fault of a message.
_OURS = frozenset({401, 403, 407})
_WORDS = 300


class Saying(BaseModel):
    """An answer in which this text stands, whatever its status: providers say 200 to what they refuse."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1)
    means: Literal["taken", "refused", "later"]


class Description(BaseModel):
    """What the file says, in JSON. Statuses are numbers, or ranges such as "500-599"; what none names is a refusal for
    good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, str] = {}
    secret_file: Path | None = None
    body: Any
    longest: int = Field(default=1_000, ge=20, le=4_096)
    taken: list[int | str] = ["200-299"]
    later: list[int | str] = [408, 425, 429, "500-599"]
    said: list[Saying] = []


def read(text: str) -> Description:
    """ValueError names what is wrong with a description, such as a field that there is not."""
    found = Description.model_validate_json(text)
    faults = [
        f"{place}: {{{name}}} is none of {', '.join(sorted(known))}"
        for place, known, strings in (
            ("headers", _OF_HEADERS, list(found.headers.values())),
            ("body", _OF_BODIES, list(_strings(found.body))),
        )
        for one in strings
        for name in _FIELD.findall(one)
        if name not in known
    ]
    faults += [f"{one}: is no status" for one in (*found.taken, *found.later) if not _range(one)]
    if "{secret}" in json.dumps([found.headers, found.body]) and found.secret_file is None:
        faults.append("secret_file: is needed for {secret}")
    if faults:
        raise ValueError("; ".join(faults))
    return found


def request(about: Description, message: pb.Message, secret: str) -> tuple[dict[str, str], bytes]:
    """Headers and body for a message. What people typed stands in the body as text, whatever it looks like."""
    text = f"{message.subject}\n\n{message.body.strip()}"
    values = {
        "id": message.id,
        "phone": message.phone,
        "digits": message.phone.removeprefix("+"),
        "language": message.recipient.language,
        "subject": message.subject,
        "text": text if len(text) <= about.longest else text[: about.longest - 1] + "…",
        "secret": secret,
    }
    headers = {"content-type": "application/json"}
    headers |= {name.lower(): _filled(value, values) for name, value in about.headers.items()}
    return headers, json.dumps(_filled_tree(about.body, values), ensure_ascii=False).encode()


def outcome(about: Description, status: int, words: str, hidden: Mapping[str, str]) -> Outcome:
    """What an answer means; status 0 is none at all. `hidden` are words that nobody may read, and what stands for
    them."""
    told = words
    for secret, instead in hidden.items():
        told = told.replace(secret, instead) if secret else told
    told = f"{status} {told[:_WORDS]}".strip() if status else told[:_WORDS]
    if not status or status in _OURS or status // 100 == 3:
        return Unreachable(told)
    means = next((one.means for one in about.said if one.text in words), None) or _meaning(about, status)
    return Taken() if means == "taken" else Turned(told, for_good=means == "refused")


def _meaning(about: Description, status: int) -> str:
    for means, statuses in (("taken", about.taken), ("later", about.later)):
        if any(status in (_range(one) or ()) for one in statuses):
            return means
    return "refused"


def _range(status: int | str) -> range | None:
    found = re.fullmatch(r"(\d{3})(?:-(\d{3}))?", str(status))
    return range(int(found[1]), int(found[2] or found[1]) + 1) if found else None


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: values[found[1]], text)


def _filled_tree(tree: Any, values: Mapping[str, str]) -> Any:
    if isinstance(tree, dict):
        return {name: _filled_tree(one, values) for name, one in tree.items()}
    if isinstance(tree, list):
        return [_filled_tree(one, values) for one in tree]
    return _filled(tree, values) if isinstance(tree, str) else tree


def _strings(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict | list):
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from _strings(one)
    elif isinstance(tree, str):
        yield tree
