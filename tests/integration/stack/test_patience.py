"""Patience that follows progress: long work is waited for while it moves, and given up when it stands."""

import asyncio

import pytest

from stack.waiting import advancing


async def test_patience_follows_progress() -> None:
    counted = 0

    async def count() -> int:
        nonlocal counted
        counted += 1
        return counted

    async with asyncio.timeout(20):
        # Longer in all than the patience, and never still for as long.
        await advancing(count, 30, patience=0.2)


async def test_what_stands_still_is_given_up_and_says_where() -> None:
    async def stuck() -> int:
        return 7

    with pytest.raises(AssertionError, match="stands at 7 of 9"):
        await advancing(stuck, 9, patience=0.1)
