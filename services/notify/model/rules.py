"""Rules from facts to messages: read from a file of the package, checked as a whole before anything is told by them."""

import hashlib
import importlib.resources
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from livinglab.notify.v1 import rule_pb2 as pb
from livinglab.notify.v1 import service_pb2

from chassis.errors import Violation, invalid
from chassis.yaml_message import parse
from programs.rules.shapes import OF_INSTITUTION
from services.notify.model import facts

# There whatever the fact is.
ALWAYS = frozenset({"name", "institution_name", "cohort_title"})
# A release that listens to one more kind of fact hears all of the past: that is no news.
OLD = timedelta(days=7)
# Places where facts name an institution.
_INSTITUTIONS = frozenset({"institution", "host"})
_LONGEST = 3_800
# What a template asks for, None where there is no such template.
Needed = Callable[[str], frozenset[str] | None]


class Rules:
    """The rules, by the fact that each begins with."""

    def __init__(self, rules: Sequence[pb.Rule]) -> None:
        self.all = tuple(rules)
        self._by_id = {rule.id: rule for rule in rules}

    def facts(self) -> list[type[Message]]:
        """Every fact that a rule begins or ends with, each once."""
        names = {rule.fact for rule in self.all} | {name for rule in self.all for name in rule.unless}
        return [facts.FACTS[name] for name in sorted(names)]

    def told_by(self, event: Message) -> list[pb.Rule]:
        """Those that a fact is told by, at once or later: their conditions hold."""
        name = facts.name_of(event)
        return [rule for rule in self.all if rule.fact == name and _holds(rule, event)]

    def ended_by(self, event: Message) -> list[pb.Rule]:
        """Those that wait for this fact, and tell nothing after it."""
        return [rule for rule in self.all if facts.name_of(event) in rule.unless]

    def get(self, rule_id: str) -> pb.Rule | None:
        """None for one that this release does not have any more."""
        return self._by_id.get(rule_id)


def shipped(needed: Needed) -> Rules:
    """The rules of this release. INVALID_ARGUMENT, each fault with its line, where they do not hold: the process does
    not start with them."""
    text = importlib.resources.files(__package__).joinpath("rules.yaml").read_text(encoding="utf-8")
    return load(text, needed)


def load(text: str, needed: Needed) -> Rules:
    """Rules from a text in YAML. INVALID_ARGUMENT names each fault by its line."""
    parsed = parse(text, pb.RuleBook)
    found = [*parsed.faults, *parsed.locate(_violations(parsed.message.rules, needed))]
    if found:
        raise invalid([Violation(one.field, f"line {one.line}: {one.description}") for one in sorted(found)])
    return Rules(parsed.message.rules)


def tie(rule: pb.Rule, event: Message) -> str:
    """What a fact has in common with those after which the rule tells nothing any more, in its realm."""
    meta = event.meta  # type: ignore[attr-defined]
    return f"{rule.id}|{meta.rehearsal}|{facts.value(event, rule.same)}"


def occasion(rule: pb.Rule, event: Message) -> str:
    """What is told once."""
    meta = event.meta  # type: ignore[attr-defined]
    told = [facts.value(event, place) for place in rule.once] or [meta.event_id]
    return hashlib.sha256("\n".join([rule.id, meta.rehearsal, *told]).encode()).hexdigest()


def person_key(told: str, person: service_pb2.Recipient) -> str:
    """Of one occasion and person. Who acts in two roles is told in each."""
    who = (told, person.institution, person.role, person.email, person.subject)
    return hashlib.sha256(repr(who).encode()).hexdigest()


def values(rule: pb.Rule, event: Message, named: Callable[[str], str]) -> dict[str, str]:
    """The values of the rule's template: one line each, for people's words may hold more. `named` tells institutions
    by their names."""

    def told(place: str) -> str:
        found = facts.value(event, place)
        return named(found) if place in _INSTITUTIONS else one_line(found)

    return {key: told(place) for key, place in rule.values.items()}


def one_line(text: str) -> str:
    """What a person wrote, without what would break a line."""
    readable = "".join(c if unicodedata.category(c) not in {"Cc", "Zl", "Zp"} else " " for c in text)
    return " ".join(readable.split())[:_LONGEST]


def occurred(event: Message) -> datetime:
    """When the fact happened."""
    moment: datetime = event.meta.occurred_time.ToDatetime(UTC)  # type: ignore[attr-defined]
    return moment


def _holds(rule: pb.Rule, event: Message) -> bool:
    return all(facts.value(event, condition.place) in condition.any for condition in rule.when)


def _violations(rules: Sequence[pb.Rule], needed: Needed) -> Iterator[Violation]:
    seen: set[str] = set()
    for i, rule in enumerate(rules):
        place = f"rules[{i}]"
        if not rule.id or rule.id in seen:
            yield Violation(f"{place}.id", "must be there, and no other rule's")
        seen.add(rule.id)
        unknown = [name for name in (rule.fact, *rule.unless) if name not in facts.FACTS]
        for name in unknown:
            yield Violation(f"{place}.{'fact' if name == rule.fact else 'unless'}", f"{name or 'nothing'} is no fact")
        yield from _of_template(rule, place, needed)
        if not unknown:
            yield from _of_places(rule, place)
        yield from _of_audience(rule, place)


def _of_template(rule: pb.Rule, place: str, needed: Needed) -> Iterator[Violation]:
    asked = needed(rule.template)
    if asked is None:
        yield Violation(f"{place}.template", f"there is no template {rule.template}")
        return
    for value in sorted(asked - ALWAYS - rule.values.keys()):
        yield Violation(f"{place}.values", f"{value} is needed by {rule.template}")
    for value in sorted(rule.values.keys() - asked):
        yield Violation(f"{place}.values.{value}", f"is not used by {rule.template}")


def _of_places(rule: pb.Rule, place: str) -> Iterator[Violation]:
    def named() -> Iterable[tuple[str, str, str]]:
        yield from ((f"values.{key}", rule.fact, where) for key, where in rule.values.items())
        yield from ((f"when[{i}].place", rule.fact, one.place) for i, one in enumerate(rule.when))
        yield from ((f"once[{i}]", rule.fact, where) for i, where in enumerate(rule.once))
        yield from ((f"to[{i}].of", rule.fact, one.of or "institution") for i, one in enumerate(rule.to))
        yield from (("same", fact, rule.same) for fact in (rule.fact, *rule.unless) if rule.unless)

    for field, fact, where in named():
        if why := facts.fault(fact, where):
            yield Violation(f"{place}.{field}", why)
    if bool(rule.after_days) != bool(rule.unless):
        yield Violation(f"{place}.after_days", "waits for something: say which facts end the waiting in `unless`")
    if any(one.assessors for one in rule.to) and facts.fault(rule.fact, "evaluation_id"):
        yield Violation(f"{place}.to", f"{rule.fact} is about no evaluation: it has no assessors")


def _of_audience(rule: pb.Rule, place: str) -> Iterator[Violation]:
    if not rule.to:
        yield Violation(f"{place}.to", "is nobody")
    for i, one in enumerate(rule.to):
        if not (one.roles or one.coach or one.assessors or one.managers):
            yield Violation(f"{place}.to[{i}]", "is nobody")
        if not set(OF_INSTITUTION).issuperset(one.roles):
            yield Violation(f"{place}.to[{i}].roles", "are of an institution: operator, head, secretary or regent")
