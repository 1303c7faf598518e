"""What a form may hold."""

from typing import Any

import pytest
from starlette.requests import Request

from chassis.errors import Kind, Refused
from services.console.session import people


def read(fields: int) -> dict[str, str]:
    """A form of so many fields, as it is read."""
    body = "&".join(f"field.{place}=said" for place in range(fields)).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    reading = people._form(Request({"type": "http", "method": "POST", "headers": []}, receive))
    # It is all there, so that nothing is waited for: no loop is needed.
    with pytest.raises(StopIteration) as done:
        reading.send(None)
    found: dict[str, str] = done.value.value
    return found


def test_a_form_holds_the_minutes_of_a_session_with_all_of_its_steps_and_not_much_more() -> None:
    assert len(read(people._MOST_FIELDS)) == people._MOST_FIELDS
    with pytest.raises(Refused) as refused:
        read(people._MOST_FIELDS + 1)
    assert refused.value.kind is Kind.RESOURCE_EXHAUSTED
