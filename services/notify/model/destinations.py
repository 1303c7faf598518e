"""Where webhooks may be sent: to the public internet by https, and into networks that the platform team has named.

Whoever may name an address could have us ask the database, a cloud's metadata or a neighbour's console otherwise. So
the rule is about addresses of the network, not about names, and is asked again for each connection."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import SplitResult, urlsplit

from chassis.errors import Violation

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Unicast that is routed in the internet of today (RFC 4291, 2.4).
_GLOBAL = ipaddress.ip_network("2000::/3")
# Carries an address of IPv4 in its last 32 bits (RFC 6052).
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class Destinations:
    """What is allowed beside public addresses: these networks, http included."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: Sequence[Network] = [ipaddress.ip_network(one) for one in networks]

    def fault_of(self, url: str) -> str | None:
        """What is wrong with an address as it is written, None where nothing is."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return "is no address"
        if not host or parts.scheme not in ("https", "http"):
            return "must be an address with https"
        if parts.username is not None or parts.password is not None or parts.fragment:
            return "must have no user, password or fragment"
        if parts.scheme == "http" and not self._networks:
            return "must be https"
        return self._fault_of_literal(parts, host)

    def _fault_of_literal(self, parts: SplitResult, host: str) -> str | None:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        return self.refusal(parts.scheme, address)

    def violations(self, url: str, resolved: Iterable[Address]) -> Iterator[Violation]:
        """The same, and whether nothing of what its host is resolved to may be connected to."""
        if fault := self.fault_of(url):
            yield Violation("url", fault)
            return
        refusals = [self.refusal(urlsplit(url).scheme, one) for one in resolved]
        if refusals and all(refusals):
            yield Violation("url", refusals[0] or "")

    def refusal(self, scheme: str, address: Address) -> str | None:
        """Why nothing is sent to an address of the network, None where it may be."""
        if any(one.version == address.version and address in one for one in self._networks):
            return None
        if not _is_public(address):
            return f"{address} is not a public address"
        return "must be https" if scheme != "https" else None


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if address in _TRANSLATED:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return _is_public(inner) if inner is not None else address in _GLOBAL
