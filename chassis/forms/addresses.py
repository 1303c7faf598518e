"""What counts as an e-mail address and as a web address, for everybody who takes one. An e-mail address is a dot-atom
of RFC 5322 at a host name; quoted local parts and addresses in other scripts are refused, since hardly any mail server
that we write to accepts them."""

import re

LONGEST = 254
_LONGEST_LOCAL = 64
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})+")


# No user names in it: a link says where something is, not as whom to go there.
_LINK = re.compile(rf"https?://{_LABEL}(?:\.{_LABEL})*(?::\d{{1,5}})?(?:[/?#][!-~]*)?", re.IGNORECASE)


def is_link(text: str) -> bool:
    """Whether it is a web address as browsers show it when copied, in ASCII."""
    return _LINK.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether mail can be sent there, by its form alone."""
    found = _ADDRESS.fullmatch(text) if len(text) <= LONGEST else None
    return found is not None and len(found[1]) <= _LONGEST_LOCAL


def mailbox(address: str) -> str:
    """One address in whatever capitals: what is the same here is one mailbox."""
    return address.casefold()
