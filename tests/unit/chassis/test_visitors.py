"""Callers without a token: each peer its allowance, and nobody pays for another."""

import pytest
from livinglab.common.v1 import options_pb2

from chassis import auth
from chassis.errors import Kind, Refused


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def refused(visitors: auth.Visitors, peer: str, forwarded: str = "") -> Refused:
    with pytest.raises(Refused) as raised:
        visitors.admit(peer, forwarded)
    return raised.value


def test_who_shows_no_token_is_the_public() -> None:
    identity = auth.Visitors(10).admit("ipv4:10.1.2.3:4711", "")
    assert identity.roles == {options_pb2.ROLE_PUBLIC}
    assert identity.institution == ""


def test_nobody_where_only_tokens_count() -> None:
    assert refused(auth.Visitors(0), "ipv4:10.1.2.3:4711").kind is Kind.UNAUTHENTICATED


def test_a_peer_beyond_its_allowance_waits_and_others_do_not() -> None:
    clock = Clock()
    visitors = auth.Visitors(60, clock=clock)
    for port in range(60):
        visitors.admit(f"ipv4:10.1.2.3:{port + 1024}", "")
    refusal = refused(visitors, "ipv4:10.1.2.3:2000")
    assert (refusal.kind, refusal.reason) == (Kind.RESOURCE_EXHAUSTED, "RATE")
    assert refusal.retry_seconds == pytest.approx(1)
    visitors.admit("ipv4:10.1.2.4:1024", "")
    clock.now += 1
    visitors.admit("ipv4:10.1.2.3:2000", "")
    assert refused(visitors, "ipv4:10.1.2.3:2000").reason == "RATE"


def test_silence_gives_back_the_allowance_and_no_more() -> None:
    clock = Clock()
    visitors = auth.Visitors(2, clock=clock)
    clock.now += 3_600
    for _ in range(2):
        visitors.admit("unix:", "")
    assert refused(visitors, "unix:").reason == "RATE"


def test_the_addresses_of_one_network_of_ipv6_are_one_peer() -> None:
    visitors = auth.Visitors(1)
    visitors.admit("ipv6:%5B2001:db8:1:2::a%5D:4711", "")
    assert refused(visitors, "ipv6:%5B2001:db8:1:2:ffff::b%5D:4711").reason == "RATE"
    visitors.admit("ipv6:%5B2001:db8:1:3::a%5D:4711", "")
    # The same machine, however its address is written.
    visitors.admit("ipv4:10.1.2.3:1", "")
    assert refused(visitors, "ipv6:%5B::ffff:10.1.2.3%5D:4711").reason == "RATE"


def test_a_proxy_of_ours_says_who_calls_and_others_are_not_believed() -> None:
    visitors = auth.Visitors(1, ["10.0.0.0/8"])
    visitors.admit("ipv4:10.1.2.3:1", "203.0.113.7")
    visitors.admit("ipv4:10.1.2.3:1", "203.0.113.8")
    # What a caller wrote in front of the address that our proxy saw changes nothing, and neither do two proxies.
    assert refused(visitors, "ipv4:10.1.2.3:1", "198.51.100.1, 203.0.113.7").reason == "RATE"
    assert refused(visitors, "ipv4:10.1.2.3:1", "198.51.100.1, 203.0.113.8, 10.9.9.9").reason == "RATE"
    visitors.admit("ipv4:203.0.113.9:1", "198.51.100.1")
    assert refused(visitors, "ipv4:203.0.113.9:1", "198.51.100.2").reason == "RATE"


def test_many_addresses_cost_no_memory() -> None:
    visitors = auth.Visitors(1)
    for n in range(12_000):
        visitors.admit(f"ipv4:10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:1", "")
    assert len(visitors._peers) <= 10_000
    assert refused(visitors, "ipv4:10.0.46.223:1").reason == "RATE"
