"""The report of a cohort as one page: it needs no other file, reads on a phone and prints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cli.cohort import view
from cli.speak.known import name_of
from cli.speak.language import either, language, word
from programs.zones import zone_name

if TYPE_CHECKING:
    from livinglab.program.v1 import audit_service_pb2, cohort_pb2, report_service_pb2

_TEMPLATES = Path(__file__).parent
# More lines than this nobody reads in a chart; the table has them all.
_MOST_DRAWN = 40
_LINE, _LEFT, _RIGHT, _WIDTH = 22, 210, 60, 720
# Bigger areas have their name in two places: the chart keeps to one line.
_LONGEST_NAME = 28
# Where English has a point Indonesian has a comma, and the other way round.
_INDONESIAN = str.maketrans(".,", ",.")


@dataclass(frozen=True)
class Line:
    """One institution of the chart: where it was, where it is, in pixels."""

    name: str
    y: int
    before: float
    after: float
    gain: str
    grew: bool


@dataclass(frozen=True)
class Chart:
    """Gains, the largest first."""

    lines: list[Line]
    ticks: list[tuple[float, str]]
    height: int
    width: int = _WIDTH
    left: int = _LEFT


def page(report: "report_service_pb2.Report", entries: "Sequence[audit_service_pb2.AuditEntry]") -> str:
    """HTML in the language of this command; whatever people wrote is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    zone = report.cohort.time_zone
    environment.filters.update(when=lambda stamp: view.local_time(stamp, zone), session_time=_session_time)
    environment.filters.update(name=name_of, amount=_amount, **_titles(report.cohort))
    environment.filters.update(word=view.word, state=view.phase_state, spoken=word, number=_number)
    return environment.get_template("cohort_report.html").render(
        r=report,
        c=report.cohort,
        chart=_chart(report),
        audit=entries,
        phase_costs=_phase_costs(report),
        share=_share,
        zone=zone,
        closing=view.closing,
        language=language(),
        either=either,
    )


def _chart(report: "report_service_pb2.Report") -> Chart | None:
    """None where nobody has two results on the same scale."""
    drawn = report.gains[:_MOST_DRAWN]
    if not drawn or len({gain.instrument for gain in report.gains}) > 1:
        return None
    values = [Decimal(text) for gain in drawn for text in (gain.before, gain.after)]
    low, high = min(values).to_integral_value("ROUND_FLOOR"), max(values).to_integral_value("ROUND_CEILING")
    high = max(high, low + 1)

    def x(value: Decimal) -> float:
        return round(float(_LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)), 1)

    lines = [
        Line(
            _short(name_of(gain.institution)),
            (place + 1) * _LINE + 10,
            x(Decimal(gain.before)),
            x(Decimal(gain.after)),
            f"+{gain.gain}" if Decimal(gain.gain) > 0 else gain.gain.replace("-", "−"),
            Decimal(gain.gain) >= 0,
        )
        for place, gain in enumerate(drawn)
    ]
    ticks = [(x(Decimal(value)), str(value)) for value in range(int(low), int(high) + 1)]
    return Chart(lines, ticks, (len(drawn) + 1) * _LINE + 20)


def _phase_costs(report: "report_service_pb2.Report") -> list[tuple[str, str, str]]:
    """Phase, currency and what was spent for it; the whole cohort comes last."""
    order = [p.progress.phase for p in report.phases] + [""]
    sums: dict[tuple[str, str], Decimal] = {}
    for line in report.costs:
        key = (line.phase, line.currency)
        sums[key] = sums.get(key, Decimal(0)) + Decimal(line.total)
    keys = sorted(sums, key=lambda key: (order.index(key[0]), key[1]))
    return [(phase, currency, str(sums[phase, currency])) for phase, currency in keys]


def _share(part: int, whole: int) -> str:
    """Percent, for the width of a bar."""
    return f"{100 * min(part, whole) / whole:.1f}" if whole else "0"


def _session_time(session: "cohort_pb2.PlannedSession") -> str:
    """In the time of its place, by which people come: 2022-11-01 09:00 WIB."""
    zone = ZoneInfo(session.time_zone)
    start = session.start_time.ToDatetime(tzinfo=UTC).astimezone(zone)
    off = f" ({word('cancelled')})" if session.cancelled else ""
    return f"{start:%Y-%m-%d %H:%M} {zone_name(start)}{off}"


def _titles(cohort: "cohort_pb2.Cohort") -> "dict[str, Callable[[str], str]]":
    """Phases and duties by the words that people have for their ids."""
    phases = {phase.phase: either(phase.title, phase.title_en) for phase in cohort.phases}
    duties = {one.duty: either(one.title, one.title_en) for phase in cohort.phases for one in phase.duty_progress}
    return {"phase": lambda code: phases.get(code, code), "duty": lambda code: duties.get(code, code)}


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _amount(text: str) -> str:
    """1,250,000: digits in threes; in Indonesian 1.250.000."""
    figure = f"{Decimal(text):,f}"
    return figure.translate(_INDONESIAN) if language() == "id" else figure


def _number(text: str) -> str:
    """2.58; in Indonesian 2,58."""
    return text.translate(_INDONESIAN) if language() == "id" else text
