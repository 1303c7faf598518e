"""Who asks alone is answered at once; who asks meanwhile goes together; one that is refused makes no other fail."""

import asyncio
from collections.abc import Sequence

import pytest

from services.program.activities.together import Together


class Work:
    """Answers with twice the number; refuses 13, and fails with everything while it is away."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.go = asyncio.Event()
        self.away = False

    async def __call__(self, key: str, what: Sequence[int]) -> list[int]:
        self.turns.append(list(what))
        await self.go.wait()
        if self.away:
            raise ConnectionError
        if 13 in what:
            raise ValueError(key)
        return [2 * one for one in what]


async def test_who_asks_at_the_same_time_goes_together_and_who_asks_alone_at_once() -> None:
    work = Work()
    together: Together[str, int, int] = Together(work, 3)
    asked = [asyncio.create_task(together.do("a", one)) for one in range(5)]
    other = asyncio.create_task(together.do("b", 9))
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*asked, other) == [0, 2, 4, 6, 8, 18]
    assert sorted(work.turns) == [[0, 1, 2], [3, 4], [9]]
    assert await together.do("a", 7) == 14


async def test_what_is_refused_together_is_found_and_the_others_are_done() -> None:
    work = Work()
    together: Together[str, int, int] = Together(work, 9, is_refusal=lambda error: isinstance(error, ValueError))
    asked = [asyncio.create_task(together.do("a", one)) for one in (0, 1, 13, 3, 4)]
    work.go.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [0, 2, 6, 8]
    assert isinstance(answers[2], ValueError)


async def test_what_may_pass_fails_for_all_at_once_and_who_no_longer_waits_changes_nothing() -> None:
    work = Work()
    work.away = True
    together: Together[str, int, int] = Together(work, 9, is_refusal=lambda error: isinstance(error, ValueError))
    asked = [asyncio.create_task(together.do("a", one)) for one in range(4)]
    await asyncio.sleep(0)
    asked[1].cancel()
    work.go.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [
        ConnectionError,
        asyncio.CancelledError,
        ConnectionError,
        ConnectionError,
    ]
    assert work.turns == [[0, 1, 2, 3]]
    work.away = False
    with pytest.raises(ValueError, match="a"):
        await together.do("a", 13)
