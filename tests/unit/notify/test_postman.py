"""Headers of a mail, as they go over the wire: one recipient stays one for every reader."""

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.notify.v1 import service_pb2 as pb

from chassis.config import Settings
from services.notify.postman import Postman

# With all its titles, as the roster of Merauke has it.
TITLED = "Drs. I Gusti Ngurah Agung Bagus Suryadharma Wirawan, S.E., M.Si., Ak., CA., CPA."
ADDRESS = "kominfo@merauke.example"
POSTMAN = Postman(Settings())


def sent(name: str, subject: str = "Undangan") -> bytes:
    recipient = pb.Recipient(name=name, email=ADDRESS, language="id")
    return POSTMAN.mail(pb.Message(id="m1", recipient=recipient, subject=subject, body="Yth.\n")).as_bytes()


def header(mail: bytes) -> str:
    """The To header as it is, without its folds."""
    head = mail.partition(b"\r\n\r\n")[0].decode("ascii")
    return re.sub(r"\r\n(?=[ \t])", "", next(part for part in re.split(r"\r\n(?![ \t])", head) if part[:3] == "To:"))


def phrase(value: str) -> tuple[str, str]:
    """Name and address by the letter of RFC 5322 and 2047, with no parser of Python's: a quoted string or atoms and
    encoded words, then one address in angles. ValueError where a separator stands free."""
    found = re.fullmatch(r"To: (.*?)\s*<([^<>\s]+)>", value)
    if not found:
        raise ValueError(value)
    name = found[1]
    if quoted := re.fullmatch(r'"((?:[^"\\]|\\.)*)"', name):
        return re.sub(r"\\(.)", r"\1", quoted[1]), found[2]
    atoms = name.split()
    for atom in atoms:
        if not re.fullmatch(r"=\?utf-8\?[qb]\?[A-Za-z0-9!*+/=_-]*\?=|[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", atom):
            raise ValueError(f"{atom!r} is no part of a name")
        if len(atom) > 75:
            raise ValueError(f"{atom!r} is too long")
    return str(make_header(decode_header(name))), found[2]


@pytest.mark.parametrize("name", [TITLED, "Siti", "Dr. (H.C.) A: B; C, M.Si.", "K" * 300, TITLED[:60], TITLED[:72]])
def test_a_name_with_titles_is_one_recipient(name: str) -> None:
    mail = sent(name)
    assert phrase(header(mail)) == (name, ADDRESS)
    [read] = message_from_bytes(mail, policy=policy.default)["To"].addresses
    assert read.addr_spec == ADDRESS


names = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=120)


# How long one takes depends on what else runs here.
@settings(deadline=None)
@given(words=st.lists(names, min_size=1, max_size=4))
def test_every_name_is_one_recipient_whose_lines_are_short(words: list[str]) -> None:
    mail = sent(" ".join(" ".join(words).split()) or "x")
    [read] = message_from_bytes(mail, policy=policy.default)["To"].addresses
    assert read.addr_spec == ADDRESS
    head = mail.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 998
