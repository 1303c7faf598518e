"""`livinglab assessment`, on criteria: what answers need, which are met, what is doubtful before handing in."""

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from cli.assessment.calls import EvaluationId, as_dict, show_evaluation
from cli.guide import Language, is_english, needs_lines, published_guides, text
from cli.speak.calls import ask, call
from cli.speak.output import AsJson, fail, note, print_json, say, table
from cli.speak.sentences import sentence

Met = Annotated[
    list[str] | None,
    typer.Option("--met", metavar="CRITERION[=EVIDENCE,...]", help="Is met, and shown by this evidence."),
]
_MOST_DOUBTS = 20  # lines


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("needs")(needs)
    app.command("criteria")(criteria)


def needs(
    evaluation: EvaluationId,
    indicators: Annotated[list[str] | None, typer.Argument(metavar="INDICATOR...", help="Only these.")] = None,
    language: Language = "",
    as_json: AsJson = False,
) -> None:
    """What each answer needs for its next level, and what is doubtful before handing in."""
    english = is_english(language)
    found = call("understanding", "ListNeeds", evaluation_id=evaluation, indicators=indicators or [])
    if as_json:
        print_json(as_dict(found))
        return
    rows = []
    for one in found.indicators:
        lacking = [f"{need.criterion} {text(need, english)}" for need in (*one.unmet, *one.missing)]
        documents = [text(document, english, "name") for document in one.documents]
        shown = "; ".join(lacking), "; ".join(documents)
        rows.append([one.indicator, one.value, one.reached, one.next_level, *shown, str(one.evidence)])
    columns = ["indicator", "level", "met", "next", "needs", "shown by", "evidence"]
    table(columns, rows, right=["level", "met", "next", "evidence"])
    for doubt in found.warnings:
        say(sentence("doubtful", message=_doubt(doubt)))


def criteria(
    evaluation: EvaluationId,
    indicator: Annotated[str, typer.Argument(metavar="INDICATOR")],
    met: Met = None,
    unmet: Annotated[list[str] | None, typer.Option("--unmet", metavar="CRITERION", help="Is not met.")] = None,
    language: Language = "",
    as_json: AsJson = False,
) -> None:
    """Which criteria of an indicator are met, with the evidence for each; --met and --unmet change it."""
    from cli.speak.connection import run

    english = is_english(language)
    found = run(_marked(evaluation, indicator, criteria_of(met), unmet or []))
    instrument = call("service", "GetInstrument", id=found.instrument, version=found.instrument_version).instrument
    guides = published_guides(instrument)
    guide = guides.of(indicator) if guides else None
    if guides is None or guide is None:
        fail(f"nobody has written what the levels of indicator {indicator} of {found.instrument} ask for")
    answer = next((one for one in found.answers if one.indicator == indicator), None)
    shown = {one.criterion: list(one.evidence) for one in answer.met} if answer else {}
    asked = [(level.level, one) for level in guide.levels for one in level.criteria]
    if as_json:
        rows = [
            {"level": level, "criterion": one.id, "text": one.text, "text_en": one.text_en}
            | {"met": one.id in shown, "evidence": shown.get(one.id, [])}
            for level, one in asked
        ]
        print_json({"indicator": indicator, "value": answer.value if answer else "", "criteria": rows})
        return
    say(f"{indicator}: {f'level {answer.value}' if answer else 'no answer'}")
    cells = []
    for level, one in asked:
        evidence = ", ".join(shown.get(one.id, []))
        cells.append([level, "yes" if one.id in shown else "", one.id, text(one, english), evidence])
    table(["level", "met", "no", "criterion", "evidence"], cells)


async def _marked(evaluation: str, indicator: str, met: list[dict[str, Any]], unmet: list[str]) -> Any:
    """The evaluation, with the criteria of one answer changed where any are named."""
    found = (await ask("service", "GetEvaluation", evaluation_id=evaluation)).evaluation
    if not met and not unmet:
        return found
    answer = next((one for one in found.answers if one.indicator == indicator), None)
    if answer is None:
        fail(f"indicator {indicator} has no answer yet: give it a level with `assessment answer` first")
    kept = {one.criterion: {"criterion": one.criterion, "evidence": list(one.evidence)} for one in answer.met}
    strangers = [one for one in unmet if one not in kept]
    if strangers:
        fail(f"{', '.join(strangers)}: not met as it is")
    kept |= {one["criterion"]: one for one in met}
    left = [one for code, one in sorted(kept.items()) if code not in unmet]
    given = {"indicator": indicator, "value": answer.value, "note": answer.note, "met": left, "forget_met": not left}
    saved = await ask("service", "SaveAnswers", evaluation_id=evaluation, answers=[given], etag=found.etag)
    return saved.evaluation


def needs_of(evaluation: Any, profile: Any, guides: Any) -> dict[str, Any]:
    """What each indicator of a profile needs for its next level, from its value in the last stage; empty without
    guidance."""
    if guides is None:
        return {}
    answers = {answer.indicator: answer for answer in evaluation.answers}
    found = {}
    for row in profile.rows:
        answer = answers.get(row.indicator)
        met = [one.criterion for one in answer.met] if answer else []
        evidence = {piece for one in answer.met for piece in one.evidence} if answer else set()
        value = row.cells[-1].value if row.cells else ""
        found[row.indicator] = guides.needs(row.indicator, value, met, len(evidence))
    return found


def criteria_of(given: Iterable[str] | None) -> list[dict[str, Any]]:
    """2a 3a=ID,ID as the contract has it."""
    found = []
    for one in given or []:
        criterion, _, evidence = one.partition("=")
        found.append({"criterion": criterion, "evidence": [piece for piece in evidence.split(",") if piece]})
    return found


def show_saved(saved: Any, *, english: bool, as_json: bool) -> None:
    """What stands now, what is doubtful, and what the next level of each answer needs."""
    show_evaluation(saved.evaluation, as_json=as_json, warnings=saved.warnings, needs=saved.needs)
    if not as_json:
        for doubt in saved.warnings:
            say(sentence("doubtful", message=_doubt(doubt)))
        for line in needs_lines(saved.needs, english):
            say(line)


def tell_before(evaluation: str, *, ask_first: bool) -> None:
    """Says beside the output what is doubtful before handing in, and asks a person at a terminal whether to go on."""
    doubts = call("understanding", "ListNeeds", evaluation_id=evaluation).warnings
    for doubt in doubts[:_MOST_DOUBTS]:
        note(sentence("doubtful", message=_doubt(doubt)))
    if len(doubts) > _MOST_DOUBTS:
        note(f"and {len(doubts) - _MOST_DOUBTS} more: see `livinglab assessment needs {evaluation}`")
    if doubts and ask_first and sys.stdin.isatty() and not typer.confirm("Hand in all the same?", err=True):
        raise typer.Exit(1)


def _doubt(doubt: Any) -> str:
    return f"indicator {doubt.indicator}: {doubt.message}" if doubt.indicator else str(doubt.message)
