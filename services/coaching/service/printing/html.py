"""A paper as a page that browsers show and print."""

from jinja2 import Environment

from services.coaching.model.paper import HEADERS, SEATS, Paper

_PAGE = """<!DOCTYPE html>
<html lang="{{ paper.language }}">
<head>
<meta charset="utf-8">
<title>{{ paper.title | capitalize }} {{ paper.institution }}</title>
<style>
@page { size: A4 landscape; margin: 15mm }
body { font: 10pt/1.35 "Bitstream Vera Sans", "DejaVu Sans", sans-serif; margin: 1rem }
h1 { font-size: 16pt; margin: 0; text-align: center } h1 + p { text-align: center; font-size: 12pt; margin: 0 0 1rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0 0 1rem } dd { margin: 0 }
table { border-collapse: collapse; width: 100% } thead { display: table-header-group } tr { break-inside: avoid }
th, td { border: 1px solid #444; padding: 3px 5px; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #e8eef4 } .seats { display: flex; gap: 2rem; margin-top: 2rem; break-inside: avoid }
.seats div { flex: 1; text-align: center } .line { border-bottom: 1px solid #000; height: 5rem }
footer { margin-top: 1rem; color: #444; font-size: 8pt }
</style>
</head>
<body>
<h1>{{ paper.title }}</h1>
<p>{{ paper.institution }}</p>
<dl>{% for name, value in paper.facts %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
<table>
<thead><tr>{% for header in headers %}<th scope="col">{{ header }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in paper.rows %}<tr>{% for cell in row %}<td>
{%- for line in cell %}{{ line }}{% if not loop.last %}<br>{% endif %}{% endfor -%}
</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table>
{% if paper.total %}<p>Jumlah biaya: {{ paper.total }}</p>{% endif %}
{% if paper.dropped %}<h2>Aksi yang dihentikan</h2>
<ul>{% for one in paper.dropped %}<li>{{ one }}</li>{% endfor %}</ul>{% endif %}
<div class="seats">{% for seat in seats %}<div>{{ seat }}<div class="line"></div>Nama, tanggal</div>{% endfor %}</div>
<footer>{{ paper.footer }}</footer>
</body>
</html>
"""
_TEMPLATE = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)


def html(paper: Paper) -> bytes:
    """UTF-8."""
    return _TEMPLATE.render(paper=paper, headers=HEADERS, seats=SEATS).encode()
