"""The part of docs/events.md that is written from the protos."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from schemas.contract import ROOT, Fact, facts
from schemas.examples import example

PAGE = ROOT / "docs" / "events.md"
BEGIN, END = "<!-- written by `make schemas` (schemas/page.py) from the protos -->", "<!-- end of what is written -->"
_HEARD_BY = {
    "public": "anybody",
    "institution": "the institution of its subject",
    "platform": "whom the platform lets hear everything",
}


def written() -> str:
    """The page as it should be: what is between the marks made anew, the rest as it is."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    told = "\n".join(_lines(facts())).rstrip()
    return f"{before}{BEGIN}\n\n{told}\n\n{END}{after}"


def _lines(every: Sequence[Fact]) -> Iterator[str]:
    service = ""
    for fact in every:
        if fact.service != service:
            service = fact.service
            yield f"## Facts of {service}"
            yield ""
        yield from _of(fact)


def _of(fact: Fact) -> Iterator[str]:
    yield f"### {fact.name}"
    yield ""
    yield fact.meaning
    yield ""
    yield f"- subject `{fact.address}`; counts {fact.options.key}; heard by {_HEARD_BY[fact.audience]}"
    for field in fact.descriptor.fields[1:]:
        if comment := fact.comments.get(field.name):
            yield f"- `{field.name}`: {comment}"
    yield f"- `{json.dumps(_brief(fact), ensure_ascii=False)}`"
    yield ""


def _brief(fact: Fact) -> Any:
    """Without `meta`, and with what a message within it holds left out."""
    shown = MessageToDict(example(fact), preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {name: _shortened(value) for name, value in shown.items() if name != "meta"}


def _shortened(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > 1:
        return {next(iter(value)): "…"}
    return [_shortened(one) for one in value] if isinstance(value, list) else value
