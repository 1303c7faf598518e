"""Lines of iCalendar files (RFC 5545): escaped, folded, times in UTC."""

from datetime import UTC, datetime

_LONGEST_LINE = 75
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


def utc(at: datetime) -> str:
    """A time, in the zone that every reader has."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def text(value: str) -> str:
    """Words of people in a line of the file; other control characters have no place in one."""
    readable = "".join(c if c == "\n" or c.isprintable() else " " for c in value)
    return readable.translate(_ESCAPES)


def quoted(value: str) -> str:
    """The same as the value of a parameter, which has no escapes: what may not stand in quotes is left out."""
    return '"' + "".join(c for c in value if c.isprintable() and c != '"') + '"'


def folded(line: str) -> bytes:
    """At most 75 bytes a line, never within a character; what follows goes on after a blank."""
    lines = [b""]
    for character in line:
        encoded = character.encode()
        if len(lines[-1]) + len(encoded) > _LONGEST_LINE:
            lines.append(b" ")
        lines[-1] += encoded
    return b"\r\n".join(lines) + b"\r\n"
