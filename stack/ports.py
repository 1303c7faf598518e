"""Free ports on the loopback address."""

import random
import socket
from collections.abc import Iterator
from itertools import islice

LOOPBACK = "127.0.0.1"
# Below the ports that Linux and macOS give to outgoing connections: a restarted server finds its port free again.
RANGE = range(18_000, 32_000)

_given: set[int] = set()
_order = random.Random()  # of its own: a seeded global generator would give two processes the same ports


def free_port() -> int:
    """A port that nothing listens on and that this process has not been given before."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """`count` different free ports; OSError when the range is used up."""
    found = list(islice(_free(), count))
    if len(found) < count:
        raise OSError(f"no {count} free ports between {RANGE.start} and {RANGE.stop - 1} on {LOOPBACK}")
    return found


def _free() -> Iterator[int]:
    for port in _order.sample(RANGE, len(RANGE)):
        if port not in _given and can_listen(port):
            _given.add(port)
            yield port


def can_listen(port: int) -> bool:
    """Whether the port is one that nothing listens on."""
    if not port:
        return False
    with socket.socket() as probe:
        # Connections of the last listener that are still dying out do not keep the next one off.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
