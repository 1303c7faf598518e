"""Waiting for a condition, the only way a test waits."""

from stack.waiting import eventually

__all__ = ["eventually"]
