"""Templates: one environment, the words and numbers of both languages, the style by its hash."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.console.model import numbers, tiles, words

_PACKAGE = "services.console"


@cache
def environment() -> Environment:
    """Everything is escaped; a name that a page forgot is an error."""
    made = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["style"] = f"/static/{static_name('console.css')}"
    made.globals["style_inside"] = f"/static/{static_name('inside.css')}"
    made.globals["style_wall"] = f"/static/{static_name('wall.css')}"
    made.globals["icon"] = f"/static/{static_name('icon.svg')}"
    return made


def render(template: str, language: str, **values: Any) -> str:
    """A page in that language. `t` gives texts, `w` words that may be unknown, `n` numbers, `s` signed ones; `root`
    is where pages of the language start."""

    def t(key: str, /, **named: object) -> str:
        return words.text(key, language, **named)

    return (
        environment()
        .get_template(template)
        .render(
            t=t,
            w=lambda key: words.word(key, language),
            n=lambda number: numbers.number(str(number), language),
            s=lambda number: numbers.signed(str(number), language),
            c=lambda count: numbers.counted(count, language),
            language=language,
            root=root(language),
            **values,
        )
    )


def root(language: str) -> str:
    """Where pages of that language start: / or /en/."""
    return "/" if language == "id" else f"/{language}/"


def query(**values: str) -> str:
    """?a=b of what is not empty; empty without any."""
    given = {name: value for name, value in values.items() if value}
    return "?" + urlencode(given) if given else ""


@cache
def static_file(name: str) -> bytes:
    """A file beside the templates; the style knows where the tiles stand."""
    body = files(_PACKAGE).joinpath("static", name).read_bytes()
    return body + tiles.stylesheet().encode() if name == "console.css" else body


@cache
def static_name(name: str) -> str:
    """The file's name with a hash of what is in it, so that browsers may keep it for good."""
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(static_file(name)).hexdigest()[:12]}.{ending}"
