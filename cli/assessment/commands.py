"""`livinglab assessment`: an evaluation from opening to export; the stages after it are in assessment_course."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.assessment import comments, course, criteria, others, present, results
from cli.assessment.calls import (
    Etag,
    EvaluationId,
    Overwrite,
    all_pages,
    as_dict,
    levels_of_file,
    pairs,
    placed,
    show_evaluation,
    stage_names,
)
from cli.guide import Language, is_english, published_guides
from cli.speak.calls import ask, call
from cli.speak.codes import as_code
from cli.speak.files import Force, new_file, write_file
from cli.speak.output import AsJson, note, print_json, say, table
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.assessment.v1 import understanding_pb2

app = typer.Typer(help="Evaluations, from first answer to published index.", no_args_is_help=True)
_FORMATS = ("json", "csv", "xlsx", "html")


@app.command("open")
def open_evaluation(
    instrument: Annotated[str, typer.Option("--instrument", metavar="ID")],
    period: Annotated[str, typer.Option("--period", metavar="PERIOD", help="2022 or 2022-1.")],
    institution: Annotated[
        str, typer.Argument(metavar="[INSTITUTION]", parser=as_code, help="Code of the region; yours, unless named.")
    ] = "",
    cohort: Annotated[str, typer.Option("--cohort", metavar="ID", help="The cohort that it belongs to.")] = "",
    rehearsal: Annotated[str, typer.Option("--rehearsal", metavar="ID", help="That cohort, where it rehearses.")] = "",
    as_json: AsJson = False,
) -> None:
    """Open an evaluation, or show the one that is open."""
    from cli.speak.connection import own_institution

    answer = call(
        "service",
        "OpenEvaluation",
        institution=own_institution(institution),
        instrument=instrument,
        period=period,
        cohort_id=cohort,
        rehearsal=rehearsal,
    )
    show_evaluation(answer.evaluation, as_json=as_json, warnings=answer.warnings)
    if not as_json:
        for doubt in answer.warnings:
            note(sentence("doubtful", message=doubt.message))


@app.command("list")
def list_evaluations(
    institution: Annotated[str, typer.Option("--institution", metavar="CODE", parser=as_code)] = "",
    instrument: Annotated[str, typer.Option("--instrument", metavar="ID")] = "",
    period: Annotated[str, typer.Option("--period", metavar="PERIOD")] = "",
    cohort: Annotated[str, typer.Option("--cohort", metavar="ID")] = "",
    rehearsal: Annotated[str, typer.Option("--rehearsal", metavar="ID", help="Those of a rehearsal only.")] = "",
    as_json: AsJson = False,
) -> None:
    """List evaluations: your institution's, where your token names one."""
    from cli.speak.connection import token_institution

    keys = {
        "institution": institution or token_institution(),
        "instrument": instrument,
        "period": period,
        "rehearsal": rehearsal,
    }
    found = all_pages("service", "ListEvaluations", "evaluations", cohort_id=cohort, **keys)
    if as_json:
        print_json([as_dict(one) for one in found])
        return
    states = {1: "open", 2: "concluded", 3: "published"}
    rows = [
        [one.id, stage_names(one.stage), states.get(one.state, ""), one.score.index, one.published_index]
        for one in found
    ]
    table(["evaluation", "stage", "state", "index", "published"], rows, right=["index", "published"])


@app.command()
def answer(
    evaluation: EvaluationId,
    levels: Annotated[list[str] | None, typer.Argument(metavar="INDICATOR=LEVEL...", help="Such as 1=3.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="CSV or XLSX: indicator,level[,explanation]; or JSON.")
    ] = None,
    why: Annotated[str, typer.Option("--note", help="Why, for all without an explanation.")] = "",
    met: criteria.Met = None,
    not_applicable: Annotated[
        list[str] | None,
        typer.Option(
            "--not-applicable",
            metavar="INDICATOR",
            help="It does not apply to the institution, for the reason in --note, where the instrument allows it.",
        ),
    ] = None,
    language: Language = "",
    force: Overwrite = False,
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Save answers of the self-assessment; those of somebody else are written over with --force alone."""
    given, explained, lines = pairs(levels or []), dict[str, str](), dict[str, int]()
    if file is not None:
        levels_of_it = levels_of_file(file)
        lines = {code: line for code, line in levels_of_it.lines.items() if code not in given}
        explained, given = levels_of_it.explanations, levels_of_it.values | given
    given |= dict.fromkeys(not_applicable or (), "")
    if not given:
        raise typer.BadParameter("give levels, or a file of them", param_hint="INDICATOR=LEVEL")
    if met and len(given) > 1:
        raise typer.BadParameter("is for one indicator at a time", param_hint="--met")
    from cli.speak.connection import run

    english, shown = is_english(language), criteria.criteria_of(met)
    answers = [
        {"indicator": code, "value": value, "note": explained.get(code, why), "met": shown, "not_applicable": not value}
        for code, value in given.items()
    ]
    places = [f"{file}: line {lines[code]}" if code in lines else f"{code}={given[code]}" for code in given]
    saved = run(_saved(evaluation, answers, places, etag, force=force))
    criteria.show_saved(saved, english=english, as_json=as_json)


async def _saved(evaluation: str, answers: list[dict[str, Any]], places: list[str], etag: str, *, force: bool) -> Any:
    """What was saved over the version that was looked at, so that nothing comes in between. Each fault is told by the
    answer's place in what was given."""
    if not etag and not force:
        etag = await others.require_answers(evaluation, {one["indicator"]: one["value"] for one in answers})
    with placed("answers", places):
        return await ask("service", "SaveAnswers", evaluation_id=evaluation, answers=answers, etag=etag)


@app.command()
def submit(
    evaluation: EvaluationId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, whatever is doubtful.")] = False,
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Hand in the self-assessment; what is doubtful is told before."""
    if not as_json:
        criteria.tell_before(evaluation, ask_first=not yes)
    done = call("service", "SubmitEvaluation", evaluation_id=evaluation, etag=etag)
    show_evaluation(done.evaluation, as_json=as_json, warnings=done.warnings)


@app.command()
def show(evaluation: EvaluationId, as_json: AsJson = False) -> None:
    """Show an evaluation, its stages side by side."""
    from cli.speak.connection import run

    found, profile, _ = run(_read(evaluation))
    if as_json:
        print_json({"evaluation": as_dict(found), "profile": as_dict(profile)})
        return
    show_evaluation(found, as_json=False)
    titles = [stage_names(stage) for stage in profile.stages]
    rows = [_group_row(group, profile) for group in profile.groups]
    columns = ["group", "no", *titles, "gap", "answered", "strengths", "weaknesses"]
    table(columns, rows, right=[*titles, "gap", "answered"])
    rows = [[row.indicator, row.name, *_cells(row, profile), row.gap] for row in profile.rows]
    table(["no", "indicator", *titles, "gap"], rows, right=[*titles, "gap"])


@app.command()
def history(evaluation: EvaluationId, as_json: AsJson = False) -> None:
    """Who changed what, when and why."""
    changes = all_pages("verification", "ListChanges", "changes", evaluation_id=evaluation)
    if as_json:
        print_json([as_dict(one) for one in changes])
        return
    rows = []
    for one in changes:
        items = [f"{item.subject}: {getattr(item, 'from') or '-'} -> {item.to or '-'}" for item in one.items]
        what = ", ".join(items[:6]) + (f" and {len(items) - 6} more" if len(items) > 6 else "")
        when = one.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
        rows.append([str(one.version), when, one.by, stage_names(one.stage), one.action, what, one.reason])
    table(["version", "time (UTC)", "by", "stage", "action", "what", "why"], rows, right=["version"])


@app.command()
def export(
    evaluation: EvaluationId,
    output: Annotated[
        Path,
        typer.Option("--output", metavar="FILE", help="Where to write it; its ending decides.", callback=new_file),
    ],
    layout: Annotated[str, typer.Option("--format", help="json, csv, xlsx or html, over the ending.")] = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an evaluation as JSON, CSV, XLSX or a report to print (HTML)."""
    chosen = (layout or output.suffix.removeprefix(".")).lower()
    if chosen not in _FORMATS:
        raise typer.BadParameter(f"{chosen!r} is none of {', '.join(_FORMATS)}", param_hint="--format")
    content = _exported(evaluation, chosen)
    write_file(output, content, force=force)
    if as_json:
        print_json({"file": str(output), "format": chosen, "bytes": len(content)})
    else:
        say(f"{output}: {len(content)} bytes")


def _exported(evaluation: str, layout: str) -> bytes:
    import json

    from cli.assessment import export as sheets
    from cli.assessment.report import report
    from cli.speak.connection import run
    from cli.speak.known import known_institutions

    found, profile, instrument = run(_read(evaluation))
    needs = criteria.needs_of(found, profile, published_guides(instrument))
    region = known_institutions().get(found.institution)
    name = region.name if region else found.institution
    if layout == "json":
        return json.dumps(sheets.as_dict(found, profile, name, needs), ensure_ascii=False, indent=2).encode()
    if layout == "html":
        return report(found, profile, instrument, name, needs).encode()
    explained = {answer.indicator: answer.note for answer in found.answers}
    indicators = sheets.indicator_table(profile, instrument, needs, explained)
    if layout == "csv":
        # With its mark, so that a spreadsheet takes it for UTF-8.
        return sheets.as_csv(indicators).encode("utf-8-sig")
    summary = sheets.summary_table(found, instrument, name)
    return sheets.as_xlsx(summary, indicators, sheets.group_table(profile))


async def _read(evaluation: str) -> tuple[Any, Any, Any]:
    """The evaluation, its profile, the instrument that it rests on."""
    found = (await ask("service", "GetEvaluation", evaluation_id=evaluation)).evaluation
    profile = await ask("understanding", "GetProfile", evaluation_id=evaluation)
    version = found.instrument_version
    instrument = (await ask("service", "GetInstrument", id=found.instrument, version=version)).instrument
    return found, profile, instrument


def _group_row(group: "understanding_pb2.ProfileGroup", profile: "understanding_pb2.GetProfileResponse") -> list[str]:
    answered = f"{group.answered}/{group.indicators}"
    name = f"{group.kind} {group.name}".strip() or "index"
    both = [", ".join(group.strengths), ", ".join(group.weaknesses)]
    return [name, group.number, *_cells(group, profile), group.gap, answered, *both]


def _cells(row: Any, profile: "understanding_pb2.GetProfileResponse") -> list[str]:
    found = {cell.stage: cell.value for cell in row.cells}
    return [found.get(stage, "") for stage in profile.stages]


comments.register(app)
course.register(app)
present.register(app)
criteria.register(app)
results.register(app)
