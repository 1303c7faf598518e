"""What an e-mail address is, for everybody who takes one: the dot-atom of RFC 5322 at a host name. Quoted local parts
and addresses in other scripts are none: hardly a mail server of those whom we write to takes them."""

import re

LONGEST = 254
_LONGEST_LOCAL = 64
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})+")


def is_address(text: str) -> bool:
    """Whether mail can be sent there, by its form alone."""
    found = _ADDRESS.fullmatch(text) if len(text) <= LONGEST else None
    return found is not None and len(found[1]) <= _LONGEST_LOCAL


def mailbox(address: str) -> str:
    """One address in whatever capitals: what is the same here is one mailbox."""
    return address.casefold()
