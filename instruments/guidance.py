"""What each level of an indicator asks for, put together from patterns and the indicator's own terms; and which of it
an answer still lacks."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from livinglab.assessment.v1 import guidance_pb2 as pb
from livinglab.assessment.v1 import instrument_pb2

from instruments.lint import leaves
from instruments.scale import decimal

PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")


@dataclass(frozen=True, slots=True)
class Guide:
    """Everything that is said of one indicator, its terms put in; levels lowest first, texts in both languages."""

    indicator: str
    title: str
    title_en: str
    # Help in Bahasa Indonesia and English.
    help: tuple[tuple[str, str], ...]
    examples: tuple[pb.Example, ...]
    source: str
    certainty: pb.Certainty.ValueType
    levels: tuple[pb.LevelGuide, ...]

    @property
    def criteria(self) -> dict[str, Decimal]:
        """Every criterion's id and the level that asks for it."""
        return {one.id: Decimal(level.level) for level in self.levels for one in level.criteria}


class Guides:
    """The guides of an instrument's indicators; it answers for instances (35-2) as for their indicator."""

    def __init__(self, guidance: pb.Guidance, instrument: instrument_pb2.Instrument) -> None:
        self._guides = {one.indicator: one for one in _guides(guidance)}
        self._lowest, self._ladder = Decimal(instrument.scale.min), instrument.evidence.ladder
        self._highest = Decimal(instrument.scale.max)
        self._names = {node.number: node.name for node in leaves(list(instrument.nodes))}
        self._awaited = {node.number for node in leaves(list(instrument.nodes)) if node.awaited_from}

    def of(self, item: str) -> Guide | None:
        """The guide of an indicator; None where nobody has written one."""
        return self._guides.get(item) or self._guides.get(item.rpartition("-")[0])

    def awaited(self, item: str) -> bool:
        """Whether another institution gives the value."""
        return item in self._awaited

    def asks_for_evidence(self, value: str) -> bool:
        """Level 3 of 5 and above, and what corresponds on other scales: the middle and all above it."""
        number = decimal(value)
        return number is not None and 2 * (number - self._lowest) >= self._highest - self._lowest

    def needs(self, item: str, value: str, met: Collection[str], evidence: int = 0) -> pb.IndicatorNeeds:
        """What an answer still lacks. With a ladder a level counts only with every criterion of each level above the
        lowest, where everybody stands, up to it; `met` are ids of criteria, empty where nobody has said."""
        name = self._names.get(item) or self._names.get(item.rpartition("-")[0], "")
        found = pb.IndicatorNeeds(indicator=item, name=name, value=value, evidence=evidence)
        guide = self.of(item)
        if guide is None:
            return found
        stands = decimal(value)
        stands = self._lowest if stands is None else stands
        above = [level for level in guide.levels if Decimal(level.level) > self._lowest]
        if met:
            found.reached = _reached(above, met, f"{self._lowest:f}")
            claimed = [level for level in above if Decimal(level.level) <= stands]
            for level in claimed if self._ladder else claimed[-1:]:
                found.unmet.extend(_lacking(level, met))
        following = next((level for level in above if Decimal(level.level) > stands), None)
        if following is not None:
            found.next_level = following.level
            found.missing.extend(_lacking(following, met))
            found.documents.extend(following.documents)
        return found


def _reached(levels: list[pb.LevelGuide], met: Collection[str], lowest: str) -> str:
    reached = lowest
    for level in levels:
        if any(one.id not in met for one in level.criteria):
            break
        reached = level.level
    return reached


def _lacking(level: pb.LevelGuide, met: Collection[str]) -> Iterator[pb.Need]:
    for one in level.criteria:
        if one.id not in met:
            yield pb.Need(criterion=one.id, level=level.level, text=one.text, text_en=one.text_en)


def _guides(guidance: pb.Guidance) -> Iterator[Guide]:
    patterns = {pattern.id: pattern for pattern in guidance.patterns}
    for one in guidance.indicators:
        pattern = patterns.get(one.pattern, pb.Pattern())
        words = {term.name: term.text for term in one.terms}, {term.name: term.text_en for term in one.terms}
        own = {level.level: level for level in one.levels}
        levels = {level.level: level for level in pattern.levels} | own
        helps = [(pattern.help, pattern.help_en), (one.help, one.help_en)]
        yield Guide(
            indicator=one.indicator,
            title=pattern.title,
            title_en=pattern.title_en,
            help=tuple((filled(a, words[0]), filled(b, words[1])) for a, b in helps if a or b),
            examples=(*pattern.examples, *one.examples),
            source=one.source or pattern.source,
            certainty=pattern.certainty,
            levels=tuple(_level(levels[key], *words) for key in sorted(levels, key=Decimal)),
        )


def _level(level: pb.LevelGuide, words: Mapping[str, str], words_en: Mapping[str, str]) -> pb.LevelGuide:
    return pb.LevelGuide(
        level=level.level,
        criteria=[
            pb.Criterion(id=one.id, text=filled(one.text, words), text_en=filled(one.text_en, words_en))
            for one in level.criteria
        ],
        documents=[
            pb.ExpectedDocument(name=filled(one.name, words), name_en=filled(one.name_en, words_en))
            for one in level.documents
        ],
    )


def filled(text: str, words: Mapping[str, str]) -> str:
    """The text with each {name} replaced by the word of that name, in capitals where it begins the text; what has no
    word stays as it is written."""
    full = PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), text)
    return full[:1].upper() + full[1:] if text.startswith("{") else full
