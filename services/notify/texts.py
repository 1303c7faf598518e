"""The templates as texts in two languages. A file is `<template>.<language>.txt`: the subject in the first line, an
empty line, the body. The template `rehearsal` is put around every text of a rehearsal and cannot be asked for by
itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import jinja2
from babel.dates import format_date, format_datetime
from jinja2 import meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

_FOLDER = Path(__file__).parent / "templates"
_LANGUAGES = ("id", "en")
_REHEARSAL = "rehearsal"
_DECIMAL = re.compile(r"-?\d+\.\d+")
_WESTERN = timezone(timedelta(hours=7), "WIB")
_ZONES = {timedelta(hours=7): "WIB", timedelta(hours=8): "WITA", timedelta(hours=9): "WIT"}
_TIME_FORMATS = {"id": "EEEE, d MMMM y 'pukul' HH.mm", "en": "EEEE, d MMMM y 'at' HH:mm"}

_STAGES = {
    "id": {
        "self_assessment": "penilaian mandiri",
        "document": "penilaian dokumen",
        "interview": "interviu",
        "visit": "visitasi",
        "review": "reviu",
        "determination": "penetapan",
    },
    "en": {"self_assessment": "self-assessment"},
}


@dataclass(frozen=True)
class Text:
    """What a person reads."""

    subject: str
    body: str


@dataclass(frozen=True)
class _Template:
    subject: jinja2.Template
    body: jinja2.Template
    values: frozenset[str]


class Fault(Exception):
    """A source that no letter can be written by; says why."""


class Texts:
    """Every template, compiled once; a fault in a file shows at the start and not at the first letter. What managers
    change takes the place of what was shipped, which stays at hand."""

    def __init__(self) -> None:
        found = {tuple(path.stem.split(".")): path for path in _FOLDER.glob("*.txt")}
        self._sources = {(name, language): path.read_text("utf-8") for (name, language), path in found.items()}
        self._shipped = {place: _compiled(source, place[1]) for place, source in self._sources.items()}
        self._changed: dict[tuple[str, str], _Template] = {}
        self.names = sorted({name for name, _ in self._shipped} - {_REHEARSAL})
        lacking = [(n, lang) for n in (*self.names, _REHEARSAL) for lang in _LANGUAGES if (n, lang) not in found]
        if lacking:
            raise FileNotFoundError(f"templates without a text: {lacking}")

    def values(self, template: str) -> frozenset[str]:
        """The values that a template needs, in any language."""
        return frozenset[str]().union(*(self._shipped[template, language].values for language in _LANGUAGES))

    def needed(self, template: str) -> frozenset[str] | None:
        """The same; None where there is no such template."""
        return self.values(template) if template in self.names else None

    def shipped(self, template: str, language: str) -> str:
        """The source that the release brought."""
        return self._sources[template, language]

    def check(self, template: str, language: str, source: str) -> None:
        """Fault for a source that is none, or that asks for a value which letters of this kind do not have."""
        self._checked(template, language, source)

    def _checked(self, template: str, language: str, source: str) -> _Template:
        known = self.values(template)
        try:
            compiled = _compiled(source, language)
            if unknown := sorted(compiled.values - known):
                raise Fault(f"asks for {', '.join(unknown)}; letters of this kind have {', '.join(sorted(known))}")
            text = _written(compiled, dict.fromkeys(known, "1"))
        except jinja2.TemplateSyntaxError as error:
            raise Fault(f"line {error.lineno}: {error.message}") from error
        except (jinja2.TemplateError, SecurityError, ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise Fault(str(error)) from error
        if not text.subject or not text.body.strip():
            raise Fault("needs a subject in its first line, an empty line, and a body")
        return compiled

    def change(self, template: str, language: str, source: str) -> None:
        """Letters are written by it from now on. Fault as for `check`; then nothing changes."""
        self._changed[template, language] = self._checked(template, language, source)

    def preview(self, template: str, language: str, source: str, values: Mapping[str, str]) -> Text:
        """What a source that was checked, or the one in use where it is empty, makes of values. Those that the letter
        did not have then are empty."""
        compiled = _compiled(source, language) if source else self._used(template, language)
        return _written(compiled, {**dict.fromkeys(self.values(template), ""), **values})

    def write(self, template: str, language: str, values: Mapping[str, str], *, rehearsal: bool) -> Text:
        """The text for one person. jinja2.UndefinedError where a value is missing."""
        try:
            text = _written(self._used(template, language), values)
        except Exception:
            if (template, language) not in self._changed:
                raise
            # What a manager changed must not keep a letter from going out.
            text = _written(self._shipped[template, language], values)
        if rehearsal:
            return _written(self._shipped[_REHEARSAL, language], {"subject": text.subject, "body": text.body})
        return text

    def _used(self, template: str, language: str) -> _Template:
        return self._changed.get((template, language)) or self._shipped[template, language]


def _compiled(source: str, language: str) -> _Template:
    # Plain text: nothing to escape for, and a value is never read as a template. Managers write templates too: in the
    # sandbox none of them reaches anything but its values.
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["moment"] = lambda value: moment(value, language)
    environment.filters["number"] = lambda value: number(value, language)
    environment.filters["stage"] = lambda value: _STAGES[language].get(value, value)
    subject, _, body = source.partition("\n\n")
    values = frozenset(meta.find_undeclared_variables(environment.parse(source)))
    return _Template(environment.from_string(subject), environment.from_string(body), values)


def _written(template: _Template, values: Mapping[str, str]) -> Text:
    subject = " ".join(template.subject.render(values).split())
    return Text(subject, template.body.render(values).strip() + "\n")


def number(value: str, language: str) -> str:
    """A decimal with a point, as people of the language write it: 3,42 in Indonesian. Digits stay as they are."""
    return value.replace(".", ",") if language == "id" and _DECIMAL.fullmatch(value) else value


def moment(value: str, language: str) -> str:
    """A date or time in ISO 8601, as people of the language write it; any other text stays as it is. Indonesian
    zones get their names, and a time in UTC is told in that of Jakarta."""
    try:
        if len(value) == 10:
            return str(format_date(date.fromisoformat(value), "EEEE, d MMMM y", locale=language))
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    if time.tzinfo is None:
        return str(format_datetime(time, _TIME_FORMATS[language], locale=language))
    if time.utcoffset() == timedelta(0):
        time = time.astimezone(_WESTERN)
    zone = _ZONES.get(time.utcoffset() or timedelta(0)) or str(time.tzinfo)
    # Babel would turn an aware time to UTC first.
    return f"{format_datetime(time.replace(tzinfo=UTC), _TIME_FORMATS[language], locale=language)} {zone}"
