"""Faults that only follow from another fault, such as something that could not be read. They are left out, so that
people see what to mend. Pure."""

import re
from collections.abc import Iterable

from chassis.yaml_message import Fault


def follows(path: str, faults: Iterable[Fault]) -> bool:
    """Whether a rule broken at `path` may follow from one of these faults: one of the text as a whole, of the same
    mapping (a misspelt key leaves another one empty), of something around it or of something in it."""
    return any(_follows(path, fault.field) for fault in faults)


def _follows(path: str, broken: str) -> bool:
    if not broken or _within(path, broken) or _within(broken, path):
        return True
    return _mapping(path) == _mapping(broken)


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _mapping(path: str) -> str:
    """phases[1].invites[0] is a value of phases[1]."""
    return re.sub(r"\.?[^.\[\]]+(\[\d+\])?$", "", path)
