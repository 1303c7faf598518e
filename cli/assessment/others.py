"""What somebody else has written into an evaluation: nobody writes over it without knowing."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation

from cli.speak.calls import ask
from cli.speak.output import fail
from cli.speak.sentences import sentence

# Conflicts that are told one by one.
_MOST_TOLD = 20


async def require_answers(evaluation: str, given: Mapping[str, str]) -> str:
    """The version that was looked at; ends the command where another person's answers would be changed, and names
    them."""
    found = (await ask("service", "GetEvaluation", evaluation_id=evaluation)).evaluation
    me = _me()
    _refuse(
        sentence(
            "their_answer", indicator=one.indicator, who=one.answered_by, value=one.value, mine=given[one.indicator]
        )
        for one in found.answers
        if one.indicator in given and one.answered_by != me and not _same(one.value, given[one.indicator])
    )
    return str(found.etag)


async def require_verdicts(evaluation: str, given: Mapping[str, int]) -> str:
    """The same for verdicts of the review."""
    found = (await ask("service", "GetEvaluation", evaluation_id=evaluation)).evaluation
    dossier = (await ask("verification", "GetDossier", evaluation_id=evaluation)).dossier
    me = _me()
    names = {1: "Valid", 2: "Tidak Valid"}
    _refuse(
        sentence(
            "their_answer",
            indicator=one.indicator,
            who=one.reviewed_by,
            value=names.get(one.verdict, ""),
            mine=names.get(given[one.indicator], ""),
        )
        for one in dossier.verdicts
        if one.indicator in given and one.reviewed_by != me and one.verdict != given[one.indicator]
    )
    return str(found.etag)


def _me() -> str:
    # Commands that ask no server load no client.
    from cli.speak.connection import token_subject

    return token_subject()


def _refuse(conflicts: Iterable[str]) -> None:
    told = list(conflicts)
    if not told:
        return
    lines = [f"  {line}" for line in told[:_MOST_TOLD]]
    if len(told) > _MOST_TOLD:
        lines.append("  " + sentence("more", count=len(told) - _MOST_TOLD))
    fail(sentence("refused", why=sentence("somebody_else")), *lines)


def _same(before: str, after: str) -> bool:
    """3 and 3.0 are the same."""
    try:
        return Decimal(before) == Decimal(after)
    except InvalidOperation:
        return before == after
