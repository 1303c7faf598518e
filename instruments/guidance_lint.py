"""Rules of sound guidance: every level has criteria, every text both languages, every reference leads somewhere."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from livinglab.assessment.v1 import guidance_pb2 as pb
from livinglab.assessment.v1 import instrument_pb2

from chassis import yaml_message
from instruments.guidance import PLACEHOLDER
from instruments.lint import Fault, leaves
from instruments.scale import decimal

LONGEST = 500  # characters of a text
_PAIRS = (("text", "text_en"), ("name", "name_en"), ("help", "help_en"), ("title", "title_en"))

_Found = Iterator[tuple[str, str]]


class GuidanceFaults(ValueError):
    """A file that is no sound guidance; `faults` names everything wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def load(content: bytes, instrument: instrument_pb2.Instrument) -> pb.Guidance:
    """The guidance that a file's content writes for the instrument; raises GuidanceFaults with every fault."""
    parsed = read(content)
    faults = lint_read(parsed, instrument)
    if faults:
        raise GuidanceFaults(faults)
    return parsed.message


def read(content: bytes) -> yaml_message.Parsed[pb.Guidance]:
    """As much as can be read; what the YAML and its form have wrong is in `faults`."""
    return yaml_message.parse(content, pb.Guidance)


def lint_read(parsed: yaml_message.Parsed[pb.Guidance], instrument: instrument_pb2.Instrument | None) -> list[Fault]:
    """Every fault of a file, by line. Without the instrument only the faults of its form are known."""
    faults = [Fault(one.line, one.field or "file", one.description) for one in parsed.faults]
    if instrument is not None and not faults:
        faults += [Fault(parsed.line(place), place, reason) for place, reason in lint(parsed.message, instrument)]
    return sorted(faults)


def lint(guidance: pb.Guidance, instrument: instrument_pb2.Instrument) -> list[tuple[str, str]]:
    """(place, reason) for every fault of guidance for that instrument."""
    return [
        *_head(guidance, instrument),
        *_patterns(guidance, instrument),
        *_indicators(guidance, instrument),
    ]


def _head(guidance: pb.Guidance, instrument: instrument_pb2.Instrument) -> _Found:
    if guidance.instrument != instrument.id:
        yield "instrument", f"'{guidance.instrument}' is not {instrument.id}"
    elif guidance.version != instrument.version:
        yield "version", f"{guidance.version} is not {instrument.version}, the version of {instrument.id}"
    if not guidance.revision:
        yield "revision", "is missing, or 0: revisions count from 1"
    if not guidance.source:
        yield "source", "is missing"
    if not guidance.indicators:
        yield "indicators", "is missing"


def _patterns(guidance: pb.Guidance, instrument: instrument_pb2.Instrument) -> _Found:
    seen: set[str] = set()
    used = {one.pattern for one in guidance.indicators}
    for n, pattern in enumerate(guidance.patterns):
        place = f"patterns[{n}]"
        if not pattern.id:
            yield f"{place}.id", "is missing"
        elif pattern.id in seen:
            yield f"{place}.id", f"'{pattern.id}' was used before"
        elif pattern.id not in used:
            yield place, f"no indicator uses pattern {pattern.id}"
        seen.add(pattern.id)
        for field in ("title", "help", "source"):
            if not getattr(pattern, field):
                yield f"{place}.{field}", "is missing"
        if not pattern.certainty:
            yield f"{place}.certainty", "is missing: annex, material or inferred"
        yield from _both(place, pattern)
        yield from _texts(f"{place}.examples", pattern.examples)
        yield from _levels(place, pattern.levels, instrument)
        yield from _complete(place, pattern.levels, instrument)


def _levels(place: str, levels: Iterable[pb.LevelGuide], instrument: instrument_pb2.Instrument) -> _Found:
    low, high = Decimal(instrument.scale.min), Decimal(instrument.scale.max)
    before: Decimal | None = None
    ids: set[str] = set()
    for n, level in enumerate(levels):
        inner, number = f"{place}.levels[{n}]", decimal(level.level)
        if number is None:
            yield f"{inner}.level", f"'{level.level}' is not a decimal" if level.level else "is missing"
        elif not low <= number <= high:
            yield f"{inner}.level", f"{number} is outside the scale, {low} to {high}"
        elif before is not None and number <= before:
            yield f"{inner}.level", f"{number} is not above {before} of the one before: lowest first"
        before = before if number is None else number
        if not level.criteria:
            yield f"{inner}.criteria", f"level {level.level} has no criterion"
        for k, one in enumerate(level.criteria):
            if not one.id or one.id in ids:
                yield f"{inner}.criteria[{k}].id", f"'{one.id}' was used before" if one.id else "is missing"
            ids.add(one.id)
        yield from _texts(f"{inner}.criteria", level.criteria)
        yield from _texts(f"{inner}.documents", level.documents)


def _complete(place: str, levels: Iterable[pb.LevelGuide], instrument: instrument_pb2.Instrument) -> _Found:
    """An ordinal scale names its levels, and each of them asks for something."""
    if instrument.scale.kind != instrument_pb2.SCALE_KIND_ORDINAL:
        return
    there = {decimal(level.level) for level in levels}
    for number in range(int(Decimal(instrument.scale.min)), int(Decimal(instrument.scale.max)) + 1):
        if number not in there:
            yield f"{place}.levels", f"level {number} is missing"


def _indicators(guidance: pb.Guidance, instrument: instrument_pb2.Instrument) -> _Found:
    known = [node.number for node in leaves(list(instrument.nodes))]
    patterns = {pattern.id: pattern for pattern in guidance.patterns}
    seen: set[str] = set()
    for n, one in enumerate(guidance.indicators):
        place = f"indicators[{n}]"
        if one.indicator not in known:
            yield f"{place}.indicator", f"'{one.indicator}' is no indicator of {instrument.id}"
        elif one.indicator in seen:
            yield f"{place}.indicator", f"{one.indicator} stands here twice"
        seen.add(one.indicator)
        if one.pattern not in patterns:
            yield f"{place}.pattern", f"'{one.pattern}' is no pattern of this file" if one.pattern else "is missing"
        yield from _both(place, one)
        yield from _texts(f"{place}.examples", one.examples)
        yield from _levels(place, one.levels, instrument)
        if one.pattern in patterns:
            yield from _terms(place, one, patterns[one.pattern])
    for number in known:
        if number not in seen:
            yield "indicators", f"indicator {number} is missing"


def _terms(place: str, one: pb.IndicatorGuide, pattern: pb.Pattern) -> _Found:
    """Every {name} has a term, every term is used, in both languages."""
    own = {level.level for level in one.levels}
    kept = [level for level in pattern.levels if level.level not in own]
    for level in one.levels:
        if not any(level.level == other.level for other in pattern.levels):
            yield f"{place}.levels", f"level {level.level} is none of pattern {pattern.id}"
    ids = [criterion.id for level in (*kept, *one.levels) for criterion in level.criteria]
    if len(set(ids)) < len(ids):
        yield f"{place}.levels", "a criterion's id stands in another level too"
    texts = [pattern.help, pattern.help_en, one.help, one.help_en]
    for level in (*kept, *one.levels):
        texts += [text for c in level.criteria for text in (c.text, c.text_en)]
        texts += [text for d in level.documents for text in (d.name, d.name_en)]
    wanted = {name for text in texts for name in PLACEHOLDER.findall(text)}
    given: set[str] = set()
    for k, term in enumerate(one.terms):
        inner = f"{place}.terms[{k}]"
        if term.name in given:
            yield f"{inner}.name", f"'{term.name}' was given before"
        elif term.name not in wanted:
            yield f"{inner}.name", f"'{term.name}' is used nowhere in pattern {pattern.id}"
        given.add(term.name)
    yield from _texts(f"{place}.terms", one.terms)
    for name in sorted(wanted - given):
        yield f"{place}.terms", f"'{name}' is missing: pattern {pattern.id} has {{{name}}}"


_Texts = pb.Criterion | pb.ExpectedDocument | pb.Example | pb.Term


def _texts(place: str, messages: Iterable[_Texts]) -> _Found:
    for n, one in enumerate(messages):
        inner = f"{place}[{n}]"
        if not (one.name if isinstance(one, pb.ExpectedDocument) else one.text):
            yield inner, "says nothing"
        yield from _both(inner, one)


def _both(place: str, message: _Texts | pb.Pattern | pb.IndicatorGuide) -> _Found:
    """A text in one language needs the other, and both are short."""
    for field, english in _PAIRS:
        fields = message.DESCRIPTOR.fields_by_name
        if field not in fields or english not in fields:
            continue
        first, second = getattr(message, field), getattr(message, english)
        if bool(first) != bool(second):
            yield f"{place}.{english if first else field}", "is missing: every text is in both languages"
        for name, text in ((field, first), (english, second)):
            if len(text) > LONGEST:
                yield f"{place}.{name}", f"has {len(text)} characters, more than {LONGEST}"
