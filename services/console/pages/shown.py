"""Makes the pages of signed-in people: with their session, not kept by any cache, with names and days as people write
them."""

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from starlette.requests import Request
from starlette.responses import Response

from directory import official_regions, time_zone
from services.console.pages import answers, shell
from services.console.session.sessions import Session

_ZONE = "Asia/Jakarta"
_PATTERN = "d MMM y HH.mm"
_DAY = "EEE, d MMM y"


def page(request: Request, template: str, session: Session, status: int = 200, **values: Any) -> Response:
    """A page for one person; `request_id` is new, so that a form sent twice is done once."""
    language = language_of(request)
    other = request.url.path.removeprefix("/en")
    body = shell.render(
        template,
        language,
        alternate=other if language == "en" else f"/en{other}",
        session=session,
        request_id=uuid.uuid4().hex,
        region=region,
        when=lambda stamp, code="": when(stamp, language, code),
        **values,
    )
    return answers.private(body, status)


def public(template: str, language: str, place: str, **values: Any) -> answers.Answer:
    """A page for everybody; `place` is its address in either language, without the start."""
    body = shell.render(
        template,
        language,
        alternate=shell.root("en" if language == "id" else "id") + place,
        region=region,
        day=partial(day, language=language),
        last_day=partial(last_day, language=language),
        hours=partial(hours, language=language),
        **values,
    )
    return answers.answer(body.encode(), answers.HTML)


def language_of(request: Request) -> str:
    """As the address says."""
    found: str = request.state.language
    return found


def there(request: Request, path: str, **query: str) -> Response:
    """After a form: off to the page that shows what came of it, so that loading it again sends nothing again."""
    place = shell.root(language_of(request)) + path + shell.query(**query)
    return Response(status_code=303, headers={**answers.SAFETY, "cache-control": answers.PRIVATE, "location": place})


def region(code: str) -> str:
    """An official name, else the code."""
    found = official_regions().get(code)
    return found.name if found else code


def when(stamp: Any, language: str, code: str = "") -> str:
    """A time by the clock of a region, with the name of the zone; empty for none."""
    if not stamp.seconds:
        return ""
    zone = ZoneInfo(time_zone(code) if code in official_regions() else _ZONE)
    moment: datetime = stamp.ToDatetime(UTC).astimezone(zone)
    text: str = format_datetime(moment, _PATTERN, locale="id" if language == "id" else "en")
    return f"{text} {moment.tzname()}"


def day(stamp: Any, zone: str, language: str) -> str:
    """The day on which a time lies in that zone."""
    moment: datetime = stamp.ToDatetime(UTC).astimezone(ZoneInfo(zone or _ZONE))
    text: str = format_date(moment, _DAY, locale="id" if language == "id" else "en")
    return text


def last_day(stamp: Any, zone: str, language: str) -> str:
    """The day that ends at a deadline: midnight is the end of the day before. A deadline within a day says its hour."""
    moment: datetime = stamp.ToDatetime(UTC).astimezone(ZoneInfo(zone or _ZONE))
    locale = "id" if language == "id" else "en"
    if (moment.hour, moment.minute) == (0, 0):
        ended: str = format_date(moment.date() - timedelta(days=1), _DAY, locale=locale)
        return ended
    within: str = format_datetime(moment, f"{_DAY} HH.mm", locale=locale)
    return f"{within} {moment.tzname()}"


def moment(stamp: Any, zone: str, language: str) -> str:
    """A day and an hour by that zone's clock."""
    local: datetime = stamp.ToDatetime(UTC).astimezone(ZoneInfo(zone or _ZONE))
    text: str = format_datetime(local, f"{_DAY} HH.mm", locale="id" if language == "id" else "en")
    return f"{text} {local.tzname()}"


def hours(start: Any, end: Any, zone: str, language: str) -> str:
    """From when to when people meet: the day, and the hours by that zone's clock."""
    begun: datetime = start.ToDatetime(UTC).astimezone(ZoneInfo(zone or _ZONE))
    ended: datetime = end.ToDatetime(UTC).astimezone(ZoneInfo(zone or _ZONE))
    locale = "id" if language == "id" else "en"
    until = f"{ended:%H.%M}" if ended.date() == begun.date() else format_datetime(ended, f"{_DAY} HH.mm", locale=locale)
    return f"{format_datetime(begun, f'{_DAY} HH.mm', locale=locale)}–{until} {begun.tzname()}"
