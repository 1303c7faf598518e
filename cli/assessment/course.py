"""`livinglab assessment`, after the self-assessment: cycle, assessors, objections, review, publication."""

from typing import Annotated, Any

import typer

from cli.assessment import others
from cli.assessment.calls import (
    Etag,
    EvaluationId,
    Levels,
    Overwrite,
    as_dict,
    choose,
    pairs,
    show_evaluation,
    stage_names,
    stage_number,
)
from cli.speak.calls import ask, call
from cli.speak.codes import as_code
from cli.speak.output import AsJson, print_json, say, table

Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Stage = Annotated[str, typer.Argument(metavar="STAGE", help="document, interview, visit or review.")]
_EVERY_INDICATOR = "all"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("cycle")(cycle)
    app.command("assign")(assign)
    app.command("withdraw")(withdraw)
    app.command("assess")(assess)
    app.command("object")(object_to)
    app.command("reply")(reply)
    app.command("review")(review)
    app.command("conclude")(conclude)
    app.command("determine")(determine)
    app.command("publish")(publish)
    app.command("correct")(correct)
    app.command("dossier")(dossier)


def cycle(
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT")],
    period: Annotated[str, typer.Argument(metavar="PERIOD")],
    stages: Annotated[
        list[str] | None, typer.Argument(metavar="STAGE[=DATE]...", help="Set these stages, with their last days.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the stages of the evaluations of an instrument and period."""
    if stages:
        named = [text.partition("=") for text in stages]
        wanted = [{"stage": stage_number(name), "due_date": due} for name, _, due in named]
        body = {"instrument": instrument, "period": period, "stages": wanted}
        found = call("verification", "SetCycle", cycle=body).cycle
    else:
        found = call("verification", "GetCycle", instrument=instrument, period=period).cycle
    if as_json:
        print_json(as_dict(found))
    else:
        table(["stage", "last day"], [[stage_names(one.stage), one.due_date] for one in found.stages])


def assign(
    evaluation: EvaluationId,
    assessor: Annotated[str, typer.Argument(metavar="ASSESSOR", help="Subject of the assessor's token.")],
    duty: Annotated[str, typer.Option("--duty", help="assess or review.")] = "assess",
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Where the assessor works.")
    ] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Assign an external assessor; never to their own institution."""
    chosen = choose(duty, "--duty", {"assess": 1, "review": 2})
    more = {"assessor": assessor, "duty": chosen, "institution": institution, "reason": reason}
    _write("AssignAssessor", evaluation, "", as_json, **more)


def withdraw(
    evaluation: EvaluationId,
    assessor: Annotated[str, typer.Argument(metavar="ASSESSOR")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    as_json: AsJson = False,
) -> None:
    """End an assignment."""
    _write("WithdrawAssessor", evaluation, "", as_json, assessor=assessor, reason=reason)


def assess(
    evaluation: EvaluationId,
    levels: Levels,
    stage: Annotated[str, typer.Option("--stage", help="document, interview, visit or review.")] = "document",
    fact: Annotated[str, typer.Option("--fact", help="Note: what was seen.")] = "",
    analysis: Annotated[str, typer.Option("--analysis", help="Note: what it means.")] = "",
    justification: Annotated[str, typer.Option("--justification", help="Note: why this level.")] = "",
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Save an assessor's own values of a stage."""
    note = {"fact": fact, "analysis": analysis, "justification": justification}
    found = [{"indicator": code, "value": value, "note": note} for code, value in pairs(levels).items()]
    _write("SaveAssessments", evaluation, etag, as_json, stage=stage_number(stage), assessments=found)


def object_to(
    evaluation: EvaluationId,
    levels: Levels,
    reason: Annotated[str, typer.Option("--reason", help="Why the value is wrong.")],
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Object to values of the document stage (sanggah), with the levels that are wanted."""
    found = [{"indicator": code, "wanted_value": value, "reason": reason} for code, value in pairs(levels).items()]
    _write("RaiseObjections", evaluation, etag, as_json, objections=found)


def reply(
    evaluation: EvaluationId,
    indicators: Annotated[list[str], typer.Argument(metavar="INDICATOR...")],
    explanation: Annotated[str, typer.Option("--explanation", help="Why.")],
    accept: Annotated[bool, typer.Option("--accept/--reject", help="What assessors say to it.")],
    value: Annotated[str, typer.Option("--value", help="Of accepted ones; else the wanted value.")] = "",
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Answer objections."""
    more = {"outcome": 1 if accept else 2, "explanation": explanation, "value": value}
    answers = [{"indicator": code, **more} for code in indicators]
    _write("AnswerObjections", evaluation, etag, as_json, answers=answers)


def review(
    evaluation: EvaluationId,
    indicators: Annotated[list[str], typer.Argument(metavar="INDICATOR...", help="Or 'all'.")],
    verdict: Annotated[str, typer.Option("--verdict", help="valid or not-valid (Tidak Valid).")] = "valid",
    note: Annotated[str, typer.Option("--note", help="Compulsory for not-valid.")] = "",
    value: Annotated[str, typer.Option("--value", help="What is right, for not-valid.")] = "",
    force: Overwrite = False,
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Find values Valid or Tidak Valid."""
    from cli.speak.connection import run

    chosen = choose(verdict, "--verdict", {"valid": 1, "not-valid": 2})

    async def save() -> Any:
        codes = indicators
        if codes == [_EVERY_INDICATOR]:
            profile = await ask("understanding", "GetProfile", evaluation_id=evaluation)
            codes = [row.indicator for row in profile.rows if row.cells]
        found = [{"indicator": code, "verdict": chosen, "note": note, "value": value} for code in codes]
        seen = etag or ("" if force else await others.require_verdicts(evaluation, dict.fromkeys(codes, chosen)))
        return await ask("verification", "SaveVerdicts", evaluation_id=evaluation, etag=seen, verdicts=found)

    show_evaluation(run(save()).evaluation, as_json=as_json)


def conclude(
    evaluation: EvaluationId,
    stage: Stage,
    decide: Annotated[
        list[str] | None, typer.Option("--decide", metavar="INDICATOR=LEVEL", help="Where assessors differ.")
    ] = None,
    justification: Annotated[str, typer.Option("--justification", help="Of what is decided.")] = "",
    visit: Annotated[str, typer.Option("--visit", metavar="REASON", help="A visit is needed, and why.")] = "",
    remark: Annotated[str, typer.Option("--remark")] = "",
    force: Annotated[bool, typer.Option("--force", help="Also where an assessor has saved nothing in it.")] = False,
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """End an external stage."""
    more: dict[str, Any] = {"stage": stage_number(stage), "remark": remark, "force": force}
    more["decisions"] = [
        {"indicator": code, "value": value, "justification": justification}
        for code, value in pairs(decide or []).items()
    ]
    if visit:
        more["visit"] = {"reason": visit}
    _write("ConcludeStage", evaluation, etag, as_json, **more)


def determine(
    evaluation: EvaluationId,
    decree: Annotated[str, typer.Option("--decree", help="Its number.")],
    date: Annotated[str, typer.Option("--date", metavar="DATE", help="2022-12-30.")],
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Determine the values by decree (penetapan)."""
    determination = {"decree": decree, "decree_date": date}
    _write("DetermineEvaluation", evaluation, etag, as_json, determination=determination)


def publish(
    evaluation: EvaluationId,
    index: Annotated[str, typer.Option("--index", help="What the decree says, where it is not the computed one.")] = "",
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Publish and freeze."""
    _write("PublishEvaluation", evaluation, etag, as_json, published_index=index)


def correct(
    evaluation: EvaluationId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    levels: Annotated[list[str] | None, typer.Argument(metavar="INDICATOR=LEVEL...")] = None,
    index: Annotated[str, typer.Option("--index", help="The index as published now.")] = "",
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Correct what is published: a new revision."""
    values = [{"indicator": code, "value": value} for code, value in pairs(levels or []).items()]
    _write("CorrectEvaluation", evaluation, etag, as_json, reason=reason, values=values, published_index=index)


def dossier(evaluation: EvaluationId, as_json: AsJson = False) -> None:
    """Show what assessors found, objections and verdicts."""
    found = call("verification", "GetDossier", evaluation_id=evaluation).dossier
    if as_json:
        print_json(as_dict(found))
        return
    notes = [[stage_names(a.stage), a.indicator, a.value, a.assessor, a.note.justification] for a in found.assessments]
    table(["stage", "indicator", "value", "assessor", "justification"], notes, title="Assessments")
    said = {0: "waits for an answer", 1: "accepted", 2: "rejected"}
    rows = [
        [o.indicator, o.wanted_value, o.reason, said.get(o.answer.outcome, ""), o.answer.explanation]
        for o in found.objections
    ]
    table(["indicator", "wanted", "reason", "outcome", "explanation"], rows, title="Objections")
    invalid = [[v.indicator, v.value, v.note, v.reviewed_by] for v in found.verdicts if v.verdict == 2]
    table(["indicator", "right value", "note", "by"], invalid, title="Tidak Valid")
    say(f"{len(found.verdicts) - len(invalid)} Valid")


def _write(method: str, evaluation: str, etag: str, as_json: bool, **fields: Any) -> None:
    answer = call("verification", method, evaluation_id=evaluation, etag=etag, **fields)
    show_evaluation(answer.evaluation, as_json=as_json)
