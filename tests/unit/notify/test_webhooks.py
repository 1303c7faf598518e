"""Webhooks by their rules alone: who gets what, when it is tried again, what a signature is, where nothing is sent."""

import base64
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from services.notify.model import signatures, webhooks
from services.notify.model.destinations import Destinations
from services.notify.model.webhooks import Answer

NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
SERVICES = ["assessment", "coaching"]


@pytest.mark.parametrize(
    ("wanted", "subject", "found"),
    [
        (">", "assessment.v1.ResultImported.32.11", True),
        ("assessment.v1.>", "assessment.v1.ResultImported.32.11", True),
        ("assessment.v1.>", "assessment.v1", False),
        ("assessment.v1.*.32.11", "assessment.v1.ResultImported.32.11", True),
        ("assessment.v1.*.32.11", "assessment.v1.ResultImported.32.11.01", False),
        ("assessment.v1.*.32.*", "assessment.v1.ResultImported.32", False),
        ("*.v1.ResultImported.>", "coaching.v1.ResultImported.32.11", True),
        ("coaching.v1.ResultImported.>", "assessment.v1.ResultImported.32.11", False),
    ],
)
def test_a_filter_lets_through_what_the_broker_would(wanted: str, subject: str, found: bool) -> None:
    assert webhooks.matches([wanted], subject) is found


def test_filters_that_match_nothing_are_named() -> None:
    bad = ["", "assessment.", "assessment.>.v1", "assessment..v1", "weather.v1.>", "assessment v1"]
    assert [one.field for one in webhooks.subject_violations(bad, SERVICES)] == [f"subjects[{i}]" for i in range(6)]
    assert not list(webhooks.subject_violations([">", "*.v1.>", "coaching.v1.PlanDrafted.32.11"], SERVICES))


def test_the_schedule_is_that_of_the_specification() -> None:
    waits = []
    for attempts in range(1, webhooks.ATTEMPTS):
        again = webhooks.next_try(attempts, NOW, Answer(500, ""), 0)
        assert again
        waits.append((again - NOW).total_seconds())
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert webhooks.next_try(webhooks.ATTEMPTS, NOW, Answer(500, ""), 0) is None
    asked = webhooks.next_try(1, NOW, Answer(429, "", wait=timedelta(hours=1)), 0)
    assert asked == NOW + timedelta(hours=1)
    assert webhooks.next_try(1, NOW, Answer(429, "", wait=timedelta(days=900)), 0) == NOW + timedelta(days=1)


def test_a_receiver_gets_no_more_after_410_or_after_days_without_one_accepted() -> None:
    down = Answer(0, "no answer within 15 seconds")
    since = NOW - timedelta(days=3)
    assert "410" in webhooks.disabled_because(Answer(410, ""), False, None, NOW)
    assert "2026-10-30 03:00 UTC" in webhooks.disabled_because(down, True, since, NOW)
    assert webhooks.disabled_because(down, False, since, NOW) == ""
    assert webhooks.disabled_because(down, True, since + timedelta(seconds=1), NOW) == ""


def test_a_clock_is_told_of_where_signatures_are_at_risk() -> None:
    assert webhooks.clock_words(timedelta(seconds=30)) == ""
    assert webhooks.clock_words(timedelta(seconds=-31)) == "the receiver's clock is 31 seconds behind ours"
    assert webhooks.clock_words(timedelta(hours=2)) == "the receiver's clock is 120 minutes ahead of ours"


@given(body=st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=50))
def test_any_body_is_signed_as_the_official_library_signs_it(body: str) -> None:
    secret = signatures.new_secret()
    headers = signatures.headers("e1", NOW, body.encode(), [secret, signatures.new_key()])
    v1, v1a = headers["webhook-signature"].split(" ")
    assert v1 == Webhook(secret).sign("e1", NOW, body)
    assert v1a.startswith("v1a,")


def test_a_key_verifies_what_the_rfc_signs() -> None:
    # RFC 8032, 7.1, test 1: the seed and its public key.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key = signatures.PRIVATE + base64.b64encode(seed).decode()
    assert signatures.public_key(key) == signatures.PUBLIC + base64.b64encode(public).decode()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fd00::1",
        "fe80::1",
        "ff02::1",
    ],
)
def test_nothing_is_sent_to_addresses_of_ones_own(address: str) -> None:
    assert Destinations([]).refusal("https", ipaddress.ip_address(address))


def test_the_internet_is_reached_by_https_and_named_networks_as_said() -> None:
    strict, named = Destinations([]), Destinations(["10.20.0.0/16", "fd12::/64"])
    for one in ("93.184.215.14", "2606:4700::6810:84e5"):
        assert strict.refusal("https", ipaddress.ip_address(one)) is None
        assert named.refusal("http", ipaddress.ip_address(one)) == "must be https"
    assert named.refusal("http", ipaddress.ip_address("10.20.3.4")) is None
    assert named.refusal("https", ipaddress.ip_address("fd12::9")) is None
    assert named.refusal("https", ipaddress.ip_address("10.21.0.1"))
    assert named.fault_of("http://10.20.3.4:8080/hook?a=b") is None
    for bad in ("https://a.example:99999/", "https://u@a.example/", "https://a.example/#f", "gopher://a", "https:///x"):
        assert named.fault_of(bad)
