"""Rules as data: those of the release hold, and every fault of a file is found before anything is told by it."""

import pytest

from chassis.errors import Refused
from services.notify.model import rules
from services.notify.texts import Texts

TEXTS = Texts()
GOOD = """
rules:
  - id: plan-returned
    fact: coaching.v1.PlanReturned
    to: [{roles: [operator]}]
    template: plan_returned
    values: {reason: reason}
"""


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as raised:
        rules.load(text, TEXTS.needed)
    return [(one.field, one.description) for one in raised.value.violations]


def test_the_rules_of_the_release_hold() -> None:
    book = rules.shipped(TEXTS.needed)
    assert len({rule.id for rule in book.all}) == len(book.all) > 15


def test_a_rule_that_holds_is_read() -> None:
    [rule] = rules.load(GOOD, TEXTS.needed).all
    assert (rule.id, dict(rule.values)) == ("plan-returned", {"reason": "reason"})


@pytest.mark.parametrize(
    ("good", "bad", "field", "told"),
    [
        ("PlanReturned", "PlanBurnt", "rules[0].fact", "line 4: coaching.v1.PlanBurnt is no fact"),
        (
            "template: plan_returned",
            "template: plan_lost",
            "rules[0].template",
            "line 6: there is no template",
        ),
        ("{reason: reason}", "{}", "rules[0].values", "line 7: reason is needed by plan_returned"),
        ("reason: reason", "reason: because", "rules[0].values.reason", "coaching.v1.PlanReturned has no because"),
        ("reason: reason", "reason: meta", "rules[0].values.reason", "more than a value"),
        ("reason: reason", "reason: reason, why: reason", "rules[0].values.why", "is not used by plan_returned"),
        ("{roles: [operator]}", "{roles: [manager]}", "rules[0].to[0].roles", "are of an institution"),
        ("{roles: [operator]}", "{}", "rules[0].to[0]", "is nobody"),
        ("{roles: [operator]}", "{assessors: true}", "rules[0].to", "it has no assessors"),
        ("{roles: [operator]}", "{roles: [operator], of: host}", "rules[0].to[0].of", "has no host"),
        ("    values", "    after_days: 7\n    values", "rules[0].after_days", "which facts end the waiting"),
        ("    values", "    delay: 7\n    values", "rules[0].delay", "is not known here"),
    ],
)
def test_every_fault_is_found_on_loading(good: str, bad: str, field: str, told: str) -> None:
    assert good in GOOD
    found = faults(GOOD.replace(good, bad))
    assert any(place == field and told in description for place, description in found), found


def test_what_a_person_wrote_stays_one_line() -> None:
    assert rules.one_line("satu\r\nBcc: x@y.example\u2028dua\x07") == "satu Bcc: x@y.example dua"
