"""One rule for addresses: whoever takes one takes what mail can be sent to."""

import pytest
from livinglab.common.v1.options_pb2 import ROLE_HEAD as HEAD
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import definition_pb2

from chassis.forms.addresses import is_address, mailbox
from programs.rules.cohort import roster_faults
from services.notify.model.messages import refusals

GOOD = [
    "kominfo@merauke.example",
    "kepala.dinas+spbe@sub.kota-ambon.example",
    "o'b_{x}~@a.b",
    "a" * 64 + "@a.example",
]
BAD = [
    "",
    "kepala..dinas@indramayu.example",
    ".kepala@indramayu.example",
    "kepala.@indramayu.example",
    "kepala dinas@indramayu.example",
    "kepala@indramayu",
    "kepala@-indramayu.example",
    "kepala@indramayu-.example",
    "kepala@indramayu..example",
    "kepala@indramayu.example\n",
    "kepalá@indramayu.example",
    "a" * 65 + "@a.example",
    "a@" + "b" * 64 + ".example",
    "a@" + "b.cd." * 60 + "example",
    '"kepala dinas"@indramayu.example',
]


@pytest.mark.parametrize(("address", "taken"), [*((a, True) for a in GOOD), *((a, False) for a in BAD)])
def test_a_roster_and_a_letter_take_the_same_addresses(address: str, taken: bool) -> None:
    assert is_address(address) is taken
    person = definition_pb2.Person(role=HEAD, name="Kepala", email=address, language="id")
    roster = [definition_pb2.Participant(institution="32.12", people=[person])]
    assert [v.field for v in roster_faults(roster, ["32.12"])] == ([] if taken else ["roster[0].people[0].email"])
    draft = notify.Draft(template="invitation", recipient=notify.Recipient(name="Kepala", email=address))
    assert [one.draft for one in refusals([draft])] == ([] if taken else [0])


def test_one_mailbox_in_other_capitals_is_a_repetition() -> None:
    assert mailbox("Kepala.Dinas@Subang.example") == mailbox("kepala.dinas@subang.example")
    people = [
        definition_pb2.Person(role=HEAD, name="Kepala", email=email, language="id")
        for email in ("Kepala.Dinas@subang.example", "kepala.dinas@subang.example")
    ]
    [fault] = roster_faults([definition_pb2.Participant(institution="32.13", people=people)], ["32.13"])
    assert (fault.field, "twice" in fault.description) == ("roster[0].people[1]", True)
