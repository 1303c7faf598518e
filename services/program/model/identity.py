"""What identifies an order: the key under which it is carried out once, and the mark that its letters carry."""

import hashlib

from livinglab.program.v1 import command_pb2

# Longer names of updates than this are refused by Temporal.
_LONGEST_KEY = 900


def key(command: command_pb2.Command) -> str:
    """What a repeat of an order has in common with the first one: its kind, who gave it, and the request_id."""
    told = f"{command.WhichOneof('order')}:{command.actor}:{command.request_id}"
    return told if len(told) <= _LONGEST_KEY else hashlib.sha256(told.encode()).hexdigest()


def mark(command: command_pb2.Command) -> str:
    """The same in few characters, for letters that follow from it."""
    return hashlib.sha256(key(command).encode()).hexdigest()[:16]
