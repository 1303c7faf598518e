"""A paper as a PDF: A4, rows that go on over pages, a number on each. No time and no random id is in it, so that the
same paper is the same bytes."""

from functools import cache
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from services.coaching.model.paper import HEADERS, SEATS, Paper

_FONT, _BOLD = "Vera", "VeraBd"
# Of the 267 mm between the margins.
_WIDTHS = (9, 46, 58, 18, 38, 30, 26, 38, 26)
_MARGIN = 12
# A space at which no line ends.
_TIED = "\u00a0"
_TYPED = str.maketrans({"→": "->", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "..."})


@cache
def _fonts() -> Any:
    """Registered once a process; they come with the library."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    regular = TTFont(_FONT, "Vera.ttf")
    pdfmetrics.registerFont(regular)
    pdfmetrics.registerFont(TTFont(_BOLD, "VeraBd.ttf"))
    pdfmetrics.registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)
    return regular.face.charToGlyph


def pdf(paper: Paper) -> bytes:
    """The document. A row stays on one page, unless one of them is longer than a page."""
    from reportlab.platypus.doctemplate import LayoutError

    _fonts()
    try:
        return _set(paper, split_rows=False)
    except LayoutError:
        return _set(paper, split_rows=True)


def _set(paper: Paper, *, split_rows: bool) -> bytes:
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    out = BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=landscape(A4),
        **dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), _MARGIN * mm),
        title=f"{paper.title} {paper.institution}",
        author=paper.institution,
        lang=paper.language,
        # No time of its making, and an id that is made of what it holds.
        invariant=1,
    )
    document.build(_story(paper, split_rows), canvasmaker=_numbered(paper.footer))
    return out.getvalue()


def _story(paper: Paper, split_rows: bool) -> list[Any]:
    from reportlab.lib.units import mm
    from reportlab.platypus import KeepTogether, Paragraph, Spacer

    title, plain = _style(14, _BOLD, centre=True), _style(9)
    story: list[Any] = [
        Paragraph(_text(paper.title), title),
        Paragraph(_text(paper.institution), _style(11, centre=True)),
        Spacer(1, 4 * mm),
        *(Paragraph(f"<b>{_text(name)}:</b> {_text(value)}", plain) for name, value in paper.facts),
        Spacer(1, 4 * mm),
        _table(paper, split_rows),
    ]
    if paper.total:
        story += [Spacer(1, 2 * mm), Paragraph(f"<b>Jumlah biaya:</b> {_text(paper.total)}", plain)]
    if paper.dropped:
        story += [Spacer(1, 3 * mm), Paragraph("<b>Aksi yang dihentikan</b>", plain)]
        story += [Paragraph(f"• {_text(one)}", plain) for one in paper.dropped]
    return [*story, Spacer(1, 8 * mm), KeepTogether([_seats()])]


def _table(paper: Paper, split_rows: bool) -> Any:
    from reportlab.lib import colors
    from reportlab.lib.units import mm
    from reportlab.platypus import LongTable, Paragraph

    small, head = _style(7.5), _style(7.5, _BOLD)
    rows = [[Paragraph(_text(header), head) for header in HEADERS]]
    rows += [[Paragraph("<br/>".join(map(_text, cell)), small) for cell in row] for row in paper.rows]
    table = LongTable(
        rows, colWidths=[_fitted(width) * mm for width in _WIDTHS], repeatRows=1, splitInRow=int(split_rows)
    )
    table.setStyle(
        [
            ("GRID", (0, 0), (-1, -1), 0.5, colors.HexColor("#444444")),
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e8eef4")),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            *((f"{side}PADDING", (0, 0), (-1, -1), 3) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")),
        ]
    )
    return table


def _fitted(width: float) -> float:
    return width * (297 - 2 * _MARGIN - 4) / sum(_WIDTHS)


def _seats() -> Any:
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Table

    plain = _style(9, centre=True)
    rows = [
        [Paragraph(_text(seat), plain) for seat in SEATS],
        [Paragraph("<br/><br/><br/><br/>_______________________________", plain) for _ in SEATS],
        [Paragraph("Nama, tanggal", plain) for _ in SEATS],
    ]
    return Table(rows, colWidths=[88 * mm] * len(SEATS))


def _style(size: float, font: str = _FONT, *, centre: bool = False) -> Any:
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(
        f"{font}{size}{centre}",
        fontName=font,
        fontSize=size,
        leading=size * 1.3,
        alignment=1 if centre else 0,
        # A word may be wider than its column: a link, a number.
        splitLongWords=1,
    )


def _text(text: str) -> str:
    """What the font has; marks that it lacks by others that say the same, the rest by a question mark."""
    known = _fonts()
    plain = "".join(
        one if ord(one) in known else "?" for one in text.translate(_TYPED) if one.isprintable() or one == _TIED
    )
    return escape(plain)


def _numbered(footer: str) -> Any:
    """A canvas that knows how many pages there are once all are made."""
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):  # type: ignore[misc]
        """Pages are kept until the last one is there."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for n, page in enumerate(self._kept, 1):
                self.__dict__.update(page)
                self.setFont(_FONT, 7)
                self.drawString(_MARGIN * mm, 7 * mm, _text(footer))
                self.drawRightString((297 - _MARGIN) * mm, 7 * mm, f"Halaman {n} dari {len(self._kept)}")
                super().showPage()
            super().save()

    return Numbered
