"""What a browser may send at most, at its value and one byte beyond; the rest is not read."""

from typing import Any

import pytest
from starlette.requests import Request

from chassis.errors import Kind, Refused
from services.console.pages import evidence
from services.console.pages.cohort import launch
from services.console.session import people


def sending(size: int, **headers: str) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"a=" + b"x" * (size - 2), "more_body": False}

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": pairs}, receive)


async def test_a_form() -> None:
    assert len((await people._form(sending(people.LARGEST_FORM)))["a"]) == people.LARGEST_FORM - 2
    with pytest.raises(Refused) as refused:
        await people._form(sending(people.LARGEST_FORM + 1))
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "FORM")


async def test_a_file_by_what_it_says_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def somebody(_: Request) -> Any:
        return None

    monkeypatch.setattr(people, "session_of", somebody)
    same = {"sec_fetch_site": "same-origin"}
    with pytest.raises(Refused) as refused:
        await evidence.attach(sending(10, content_length=str(evidence._LARGEST + 1), **same))
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "FILE")
    # At its value it gets as far as the form, which is none.
    with pytest.raises(AttributeError):
        await evidence.attach(sending(10, content_length=str(evidence._LARGEST), **same))


async def test_files_of_a_launch_by_what_they_say_before_they_are_read() -> None:
    same = {"sec_fetch_site": "same-origin"}
    session: Any = None
    with pytest.raises(Refused) as refused:
        await launch._checked(sending(10, content_length=str(launch._LARGEST + 1), **same), session)
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "FILE")
    # At its value it gets as far as the session, which is none.
    with pytest.raises(AttributeError):
        await launch._checked(sending(10, content_length=str(launch._LARGEST), **same), session)
