"""`livinglab assessment`, on the present: what-if, calibration, who does what, what to do next."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from cli.assessment.calls import Etag, EvaluationId, as_dict, pairs, show_evaluation, stage_names, stage_number
from cli.guide import Language, is_english, text
from cli.speak.calls import call
from cli.speak.output import AsJson, print_json, say, table

_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("what-if")(what_if)
    app.command("calibration")(calibration)
    app.command("delegate")(delegate)
    app.command("queue")(queue)


def what_if(
    levels: Annotated[list[str] | None, typer.Argument(metavar="INDICATOR=LEVEL...", help="The changes.")] = None,
    evaluation: Annotated[str, typer.Option("--evaluation", metavar="ID", help="Start from this evaluation.")] = "",
    instrument: Annotated[str, typer.Option("--instrument", metavar="ID", help="Or from bare values.")] = "",
    values: Annotated[list[str] | None, typer.Option("--value", metavar="INDICATOR=LEVEL")] = None,
    as_json: AsJson = False,
) -> None:
    """The index under other levels, and which single step gains most; nothing is stored."""
    if bool(evaluation) == bool(instrument):
        raise typer.BadParameter("name an evaluation or an instrument", param_hint="--evaluation")
    answer = call(
        "understanding",
        "WhatIf",
        evaluation_id=evaluation,
        instrument=instrument,
        values=_levels(values),
        changes=_levels(levels),
    )
    if as_json:
        print_json(as_dict(answer))
        return
    say(f"Index {answer.before.index} {answer.before.predicate} -> {answer.after.index} {answer.after.predicate}")
    if answer.assumed:
        say(f"Without a value, counted at the minimum: {', '.join(answer.assumed)}")
    rows = [
        [one.indicator, getattr(one, "from"), one.to, _plain(one.gain), one.index, _plain(one.gain_to_top)]
        for one in answer.gains[:_SHOWN]
    ]
    columns = ["indicator", "from", "to", "gain", "index then", "gain to the top"]
    table(columns, rows, title="Single steps, largest gain first", right=columns[1:])


def calibration(
    evaluation: EvaluationId,
    stage: Annotated[str, typer.Option("--stage", help="One stage only.")] = "",
    as_json: AsJson = False,
) -> None:
    """Where assessors differ."""
    number = stage_number(stage) if stage else 0
    found = call("verification", "GetCalibration", evaluation_id=evaluation, stage=number)
    if as_json:
        print_json(as_dict(found))
        return
    rows = [
        [
            stage_names(row.stage),
            row.indicator,
            ", ".join(f"{one.assessor} {one.value}" for one in row.assessments),
            row.spread,
            row.concluded,
        ]
        for row in found.differences
    ]
    table(["stage", "indicator", "assessors", "spread", "concluded"], rows, right=["spread", "concluded"])
    say(f"{found.agreed} of {found.compared} indicators with several assessors agree")


def delegate(
    evaluation: EvaluationId,
    agency: Annotated[str, typer.Argument(metavar="AGENCY", help="The OPD; '-' takes the indicators back.")],
    indicators: Annotated[list[str], typer.Argument(metavar="INDICATOR...")],
    due: Annotated[str, typer.Option("--due", metavar="DATE", help="2022-12-01.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Give indicators into the care of an agency."""
    named = "" if agency == "-" else agency
    delegations: list[dict[str, Any]] = [{"indicator": code, "agency": named, "due_date": due} for code in indicators]
    fields = {"evaluation_id": evaluation, "delegations": delegations, "reason": reason, "etag": etag}
    show_evaluation(call("understanding", "DelegateIndicators", **fields).evaluation, as_json=as_json)


def queue(
    evaluation: EvaluationId,
    agency: Annotated[str, typer.Option("--agency", help="Only what this agency has in its care.")] = "",
    language: Language = "",
    as_json: AsJson = False,
) -> None:
    """What to do next, most urgent first."""
    items = call("understanding", "ListWork", evaluation_id=evaluation, agency=agency).items
    if as_json:
        print_json([as_dict(one) for one in items])
        return
    english = is_english(language)
    rows = []
    for one in items:
        due = one.due_date + (" !" if one.overdue else "")
        lacking = "; ".join(
            f"{need.criterion} {text(need, english)}" for need in (*one.needs.unmet, *one.needs.missing)
        )
        rows.append([one.indicator, one.name, one.value, one.agency, due, _plain(one.gain), lacking])
    table(["indicator", "name", "level", "agency", "due", "gain", "next level needs"], rows, right=["level", "gain"])


def _plain(points: str) -> str:
    """Points of the index as people write them: 0.12 and not 0.120000, and 0.013 to its end."""
    return f"{Decimal(points).normalize():f}" if points else ""


def _levels(given: list[str] | None) -> list[dict[str, str]]:
    return [{"indicator": code, "value": value} for code, value in pairs(given or []).items()]
