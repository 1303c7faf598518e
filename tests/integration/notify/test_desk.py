"""What runs beside a process, and for a receiver, ends whenever it is to, whatever the libraries below make of it."""

import asyncio
from contextlib import suppress

import pytest

from chassis.runtime import ended


async def goes_on(times: int) -> None:
    """As a library does that loses the call to end so many times."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_who_loses_the_call_to_end_is_asked_again() -> None:
    tasks = [asyncio.create_task(goes_on(times)) for times in (0, 1, 3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await ended(tasks, 0.01)
    assert [task.cancelled() for task in tasks] == [True, True, True]


async def test_who_ends_others_and_is_itself_to_end_leaves_none_of_them_behind() -> None:
    task = asyncio.create_task(goes_on(2))
    await asyncio.sleep(0)
    ending = asyncio.create_task(ended([task], 30))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert task.cancelled()
