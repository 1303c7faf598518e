"""The printable report in Bahasa Indonesia: HTML with a print stylesheet and a radar of aspects, without scripts."""

import math
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files

from babel.dates import format_date
from jinja2 import Environment, StrictUndefined
from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2, understanding_pb2

from cli.assessment.export import NOTHING, STAGE_TITLES, Needs
from instruments.lint import leaves

_SIZE, _RADIUS = 480, 170
_RINGS = 4
_COLOURS = ("#1f4e79", "#b35900")
_MOST_AXES = 24
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Axis:
    """One aspect: its short label, full name, and where both stand."""

    label: str
    name: str
    x: str
    y: str
    label_x: str
    label_y: str
    anchor: str


@dataclass(frozen=True)
class Shape:
    """One stage's values as a polygon."""

    title: str
    points: str
    colour: str
    dashed: bool


@dataclass(frozen=True)
class Ring:
    """A value all around."""

    points: str
    label: str
    x: str
    y: str


@dataclass(frozen=True)
class Radar:
    """Everything that the drawing needs, in its own units."""

    of: str
    axes: list[Axis]
    shapes: list[Shape]
    rings: list[Ring]
    size: int = _SIZE
    centre: int = _SIZE // 2


def report(
    evaluation: evaluation_pb2.Evaluation,
    profile: understanding_pb2.GetProfileResponse,
    instrument: instrument_pb2.Instrument,
    institution: str,
    needs: Needs = NOTHING,
) -> str:
    """One page to print; whatever people wrote is escaped. `needs` are what each indicator's next level asks for."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["koma"] = _comma
    template = environment.from_string(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    stages = list(profile.stages)
    computed, published = evaluation.score.index, evaluation.published_index
    return template.render(
        name=institution,
        evaluation=evaluation,
        instrument=instrument,
        facts=_facts(evaluation, institution),
        difference=f"{Decimal(published) - Decimal(computed):f}" if published and computed else "",
        radar=radar(profile, instrument),
        titles=[STAGE_TITLES[stage] for stage in stages],
        groups=[_group(group, stages) for group in profile.groups],
        rows=[
            {"indicator": row.indicator, "name": row.name, "gap": row.gap, "cells": _cells(row.cells, stages)}
            for row in profile.rows
        ],
        notes=[row for row in profile.rows if row.HasField("note") and row.note.ByteSize()],
        needs=[(one, [*one.unmet, *one.missing]) for one in needs.values() if one.missing or one.unmet],
    )


def radar(profile: understanding_pb2.GetProfileResponse, instrument: instrument_pb2.Instrument) -> Radar | None:
    """Self-assessment and last stage by aspect, or by indicator where there are no aspects; None below three axes."""
    direct = {node.number for node in leaves(list(instrument.nodes))}
    holders = {(node.kind, node.number) for node in _holders(list(instrument.nodes))}
    groups = [group for group in profile.groups if (group.kind, group.number) in holders]
    rows = [row for row in profile.rows if row.indicator in direct]
    found = [(g.number, g.name, g.cells) for g in groups] or [(r.indicator, r.name, r.cells) for r in rows]
    if not 3 <= len(found) <= _MOST_AXES or not all(cells for _, _, cells in found):
        return None
    low, high = Decimal(instrument.scale.min), Decimal(instrument.scale.max)
    stages = list(dict.fromkeys([profile.stages[0], profile.stages[-1]]))
    shapes = []
    for n, stage in enumerate(stages):
        values = [next((cell.value for cell in cells if cell.stage == stage), "") for _, _, cells in found]
        if all(values):
            shares = [float((Decimal(value) - low) / (high - low)) for value in values]
            shapes.append(Shape(STAGE_TITLES[stage], _polygon(shares), _COLOURS[n], n == 0 and len(stages) > 1))
    rings = []
    for n in range(1, _RINGS + 1):
        x, y = _point(0, len(found), n / _RINGS)
        label = low + (high - low) * n / _RINGS
        rings.append(Ring(_polygon([n / _RINGS] * len(found)), f"{label:.2f}", _number(x + 4), _number(y + 11)))
    kind = groups[0].kind if groups else "indikator"
    axes = [_axis(n, len(found), number, name) for n, (number, name, _) in enumerate(found)]
    return Radar({"aspect": "aspek", "domain": "domain"}.get(kind, kind), axes, shapes, rings)


def _axis(n: int, of: int, number: str, name: str) -> Axis:
    x, y = _point(n, of, 1)
    label_x, label_y = _point(n, of, 1.1)
    side = label_x - _SIZE / 2
    anchor = "middle" if abs(side) < 20 else "start" if side > 0 else "end"
    return Axis(number, name, _number(x), _number(y), _number(label_x), _number(label_y + 4), anchor)


def _point(n: int, of: int, share: float) -> tuple[float, float]:
    """The first axis points up, the others follow with the clock."""
    angle = 2 * math.pi * n / of - math.pi / 2
    return _SIZE / 2 + _RADIUS * share * math.cos(angle), _SIZE / 2 + _RADIUS * share * math.sin(angle)


def _polygon(shares: list[float]) -> str:
    points = (_point(n, len(shares), share) for n, share in enumerate(shares))
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.1f}"


def _holders(nodes: list[instrument_pb2.Node]) -> list[instrument_pb2.Node]:
    """The groups that hold indicators themselves: aspects, or whatever the instrument calls them."""
    found = []
    for node in nodes:
        if any(not child.children for child in node.children):
            found.append(node)
        found += _holders(list(node.children))
    return found


def _facts(evaluation: evaluation_pb2.Evaluation, institution: str) -> list[tuple[str, str]]:
    determination = evaluation.determination
    decree = determination.decree
    if decree and determination.decree_date:
        day = date.fromisoformat(determination.decree_date)
        decree = f"{decree}, tanggal {format_date(day, 'd MMMM y', locale='id')}"
    return [
        ("Instansi", f"{institution} ({evaluation.institution})"),
        ("Periode", evaluation.period),
        ("Tahap", STAGE_TITLES.get(evaluation.stage, "")),
        ("Penetapan", decree),
        ("Alasan koreksi", next((one.remark for one in reversed(evaluation.results) if one.revision > 1), "")),
    ]


def _group(group: understanding_pb2.ProfileGroup, stages: list[evaluation_pb2.Stage.ValueType]) -> dict[str, object]:
    cells = {cell.stage: cell.value for cell in group.cells}
    kinds = {"aspect": "Aspek", "domain": "Domain"}
    title = f"{kinds.get(group.kind, group.kind)} {group.number} {group.name}" if group.number else "Indeks"
    return {
        "title": title,
        "cells": [cells.get(stage, "") for stage in stages],
        "gap": group.gap,
        "answered": group.answered,
        "indicators": group.indicators,
        "strengths": ", ".join(group.strengths),
        "weaknesses": ", ".join(group.weaknesses),
    }


def _cells(cells: object, stages: list[evaluation_pb2.Stage.ValueType]) -> list[tuple[str, bool]]:
    found = {cell.stage: (cell.value, cell.inherited) for cell in cells}  # type: ignore[attr-defined]
    return [found.get(stage, ("", False)) for stage in stages]


def _comma(text: str) -> str:
    """2,64, as numbers are written in Indonesia; what is no number stays as it is."""
    return text.replace(".", ",") if _DECIMAL.fullmatch(text) else text
