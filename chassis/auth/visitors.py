"""Callers without a token. They are the public, and each address may make a limited number of calls a minute."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from livinglab.common.v1 import options_pb2

from chassis.auth.identity import Identity
from chassis.errors import Kind, Refused, unauthenticated

# How many addresses are counted at the same time. One more replaces the address that has been silent for longest, so
# that memory stays bounded however many addresses call.
_MOST_PEERS = 10_000
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PUBLIC = frozenset({options_pb2.ROLE_PUBLIC})


@dataclass
class _Allowance:
    """How many calls an address may still make; it grows back with time."""

    calls: float
    counted: float


class Visitors:
    """Gives a caller without a token the role `public`; the policy of a method says whether the public may call it."""

    def __init__(
        self, calls_per_minute: int, proxies: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`calls_per_minute` is for each address; with 0 nobody may call without a token. `proxies` are the networks
        whose header x-forwarded-for is believed. ValueError where one of them is not a network."""
        self._most = calls_per_minute
        self._proxies = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._clock = clock
        self._peers: OrderedDict[str, _Allowance] = OrderedDict()

    def admit(self, peer: str, forwarded: str) -> Identity:
        """The public's identity. `peer` is the caller as gRPC writes it (ipv4:127.0.0.1:4711), `forwarded` the header
        x-forwarded-for. UNAUTHENTICATED where a token is needed, RESOURCE_EXHAUSTED for too many calls a minute."""
        if not self._most:
            raise unauthenticated("NO_TOKEN", "send a bearer token: authorization: Bearer ...")
        block = _block(self._origin(peer, forwarded))
        allowance = self._allowance(block)
        if allowance.calls < 1:
            seconds = (1 - allowance.calls) * 60 / self._most
            raise Refused(
                Kind.RESOURCE_EXHAUSTED,
                "RATE",
                f"without a token {self._most} calls a minute are answered: sign in, or call less often",
                retry_seconds=seconds,
            )
        allowance.calls -= 1
        return Identity("public", _PUBLIC, "", math.inf, block)

    def _origin(self, peer: str, forwarded: str) -> str:
        """The address that a call comes from. The header is read from its end for as long as the address is one of our
        proxies; what stands further left was written by the caller and is not believed."""
        address = _address(peer)
        for hop in reversed(forwarded.split(",") if forwarded else []):
            if not any(_within(address, proxy) for proxy in self._proxies):
                break
            address = hop.strip()
        return address

    def _allowance(self, block: str) -> _Allowance:
        now = self._clock()
        known = self._peers.get(block)
        if known is None:
            known = self._peers[block] = _Allowance(self._most, now)
            if len(self._peers) > _MOST_PEERS:
                self._peers.popitem(last=False)
        known.calls = min(self._most, known.calls + (now - known.counted) * self._most / 60)
        known.counted = now
        self._peers.move_to_end(block)
        return known


def _address(peer: str) -> str:
    """127.0.0.1 of ipv4:127.0.0.1:4711, ::1 of ipv6:%5B::1%5D:4711; all local sockets count as one address."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")


def _within(address: str, network: _Network) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False


def _block(address: str) -> str:
    """What is counted as one caller: an IPv4 address, or an IPv6 network /64, which one customer usually has whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
