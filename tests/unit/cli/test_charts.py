"""Charts are well-formed drawings that show what they were given."""

from xml.etree import ElementTree

from cli.speak import charts

SVG = "{http://www.w3.org/2000/svg}"


LINES = {"A": [("2021", 2.0), ("2022", 3.0)], "<B>": [("2022", 1.0)]}


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def test_a_race_has_a_line_a_name_and_a_dot_a_point() -> None:
    drawing = drawn(charts.race("A & B", LINES, 0, 5, {"target 3.5": 3.5}))
    assert len(drawing.findall(f"{SVG}polyline")) == 2
    assert len(drawing.findall(f"{SVG}circle")) == 3
    texts = {text.text for text in drawing.iter(f"{SVG}text")}
    assert {"A & B", "<B>", "2021", "target 3.5"} <= texts


def test_a_radar_has_a_polygon_a_body() -> None:
    drawing = drawn(charts.radar("R", ["1", "2", "3"], {"mine": [1, 2, 3], "median": [2, 2, 2]}, 0, 5))
    of_bodies = [p for p in drawing.findall(f"{SVG}polygon") if p.get("stroke") != "#dddddd"]
    assert [p.get("fill") != "none" for p in of_bodies] == [True, False]


def test_a_break_stands_upright_between_the_instruments() -> None:
    plain, broken = (drawn(charts.race("R", LINES, 0, 5, breaks=breaks)) for breaks in ([], ["2022"]))
    added = [line for line in broken.findall(f"{SVG}line") if line.get("stroke-dasharray")]
    assert not [line for line in plain.findall(f"{SVG}line") if line.get("stroke-dasharray")]
    dots = sorted({float(circle.get("cx", "0")) for circle in broken.findall(f"{SVG}circle")})
    assert [line.get("x1") == line.get("x2") for line in added] == [True]
    assert dots[0] < float(added[0].get("x1", "0")) < dots[1]


def test_no_text_of_a_key_runs_out_of_the_drawing() -> None:
    long = "Kabupaten Administrasi Kepulauan Seribu dan sekitarnya"
    drawing = drawn(charts.radar("R", ["1", "2", "3"], {long: [1, 2, 3]}, 0, 5, [f"1 {long}"]))
    shown = [text.text or "" for text in drawing.iter(f"{SVG}text")]
    assert long not in shown
    assert [len(text) <= 32 for text in shown if text.endswith("…")] == [True, True]


def test_a_distribution_has_a_bar_a_bin_and_a_line_at_the_target() -> None:
    drawing = drawn(charts.distribution("D", [(2.0, 2.5, 4), (2.5, 3.0, 8)], [3.5]))
    bars = [r for r in drawing.findall(f"{SVG}rect") if r.get("fill") != "white"]
    low, high = (float(bar.get("height", "0")) for bar in bars)
    assert high == 2 * low
    assert drawing.findall(f"{SVG}line")[0].get("stroke-dasharray")
