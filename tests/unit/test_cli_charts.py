"""Charts are well-formed drawings that show what they were given."""

from xml.etree import ElementTree

from cli import charts

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def test_a_race_has_a_line_a_name_and_a_dot_a_point() -> None:
    drawing = drawn(charts.race("A & B", {"A": [("2021", 2.0), ("2022", 3.0)], "<B>": [("2022", 1.0)]}, 0, 5, [3.5]))
    assert len(drawing.findall(f"{SVG}polyline")) == 2
    assert len(drawing.findall(f"{SVG}circle")) == 3
    texts = {text.text for text in drawing.iter(f"{SVG}text")}
    assert {"A & B", "<B>", "2021", "target 3.5"} <= texts


def test_a_radar_has_a_polygon_a_body() -> None:
    drawing = drawn(charts.radar("R", ["1", "2", "3"], {"mine": [1, 2, 3], "median": [2, 2, 2]}, 0, 5))
    assert len([p for p in drawing.findall(f"{SVG}polygon") if p.get("fill") != "none"]) == 2


def test_a_distribution_has_a_bar_a_bin_and_a_line_at_the_target() -> None:
    drawing = drawn(charts.distribution("D", [(2.0, 2.5, 4), (2.5, 3.0, 8)], [3.5]))
    bars = [r for r in drawing.findall(f"{SVG}rect") if r.get("fill") != "white"]
    low, high = (float(bar.get("height", "0")) for bar in bars)
    assert high == 2 * low
    assert drawing.findall(f"{SVG}line")[0].get("stroke-dasharray")
