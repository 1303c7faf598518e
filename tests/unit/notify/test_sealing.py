"""Secrets of webhooks at rest: who opens them, and which keys a file may hold."""

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.notify.model.sealing import CannotBeOpened, Seal, keys_of

FIRST, SECOND = ("2026-11", bytes(range(32))), ("2027-01", bytes(32))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_sealed_secret_opens_for_its_webhook_and_its_key_alone() -> None:
    kept = Seal([FIRST]).seal(SECRET, "w1")
    assert kept.startswith("sealed:2026-11:")
    assert SECRET.removeprefix("whsec_") not in kept
    assert Seal([FIRST]).seal(SECRET, "w1") != kept
    assert Seal([SECOND, FIRST]).open(kept, "w1") == SECRET
    with pytest.raises(CannotBeOpened, match="do not open with the key 2026-11"):
        Seal([FIRST]).open(kept, "w2")
    with pytest.raises(CannotBeOpened, match=r"the key 2026-11 that .* is not in LIVINGLAB_WEBHOOK_KEYS"):
        Seal([SECOND]).open(kept, "w1")
    with pytest.raises(CannotBeOpened):
        Seal([(FIRST[0], bytes(32))]).open(kept, "w1")
    for bad in (kept[:-6], kept[:20], "sealed:2026-11", "sealed:2026-11:?"):
        with pytest.raises(CannotBeOpened):
            Seal([FIRST]).open(bad, "w1")


def test_what_is_kept_is_plain_aes_gcm() -> None:
    # The form is for others to read too, should this code be lost: nonce, ciphertext, tag.
    raw = base64.b64decode(Seal([FIRST]).seal(SECRET, "w1").split(":")[2])
    assert AESGCM(FIRST[1]).decrypt(raw[:12], raw[12:], b"w1").decode() == SECRET


def test_what_stands_in_plain_is_read_and_is_stale_once_there_is_a_key() -> None:
    none, first, both = Seal(), Seal([FIRST]), Seal([SECOND, FIRST])
    assert none.seal(SECRET, "w1") == SECRET == both.open(SECRET, "w1")
    assert [one.is_stale(SECRET) for one in (none, first, both)] == [False, True, True]
    kept = first.seal(SECRET, "w1")
    assert [one.is_stale(kept) for one in (none, first, both)] == [False, False, True]


def test_a_file_of_keys_names_the_first_which_seals_and_every_line_that_is_wrong() -> None:
    written = base64.b64encode(SECOND[1]).decode()
    text = f"# of this year\n2027-01 {written}\n\n2026-11   {base64.b64encode(FIRST[1]).decode()}  # until March\n"
    assert keys_of(text) == [SECOND, FIRST]
    with pytest.raises(ValueError, match=r"line 1: .*; line 2: .*; line 4: the id a is there already") as raised:
        keys_of(f"a {written[:-8]}\nb:c {written}\nd {written}\na {written}")
    assert written[:10] not in str(raised.value)
    with pytest.raises(ValueError, match="there is no key"):
        keys_of("# none yet\n")
