"""Finding a region by a part of its name or its code."""

from starlette.requests import Request
from starlette.responses import Response

from directory import official_regions
from services.console.pages import answers, shell, shown

_MOST = 60
_LONGEST = 80


async def page(request: Request) -> Response:
    """Regions whose name holds every word, or whose code starts so."""
    language: str = request.state.language
    wanted = request.query_params.get("q", "").strip()[:_LONGEST]
    parts = wanted.lower().split()
    found = [
        region
        for region in official_regions().values()
        if parts and (all(part in region.name.lower() for part in parts) or region.code.startswith(wanted))
    ]
    made = shown.public(
        "find.html",
        language,
        "find" + shell.query(q=wanted),
        wanted=wanted,
        found=found[:_MOST],
        more=len(found) - _MOST,
        provinces={code: region.name for code, region in official_regions().items() if not region.parent},
    )
    return answers.public(request, made)
