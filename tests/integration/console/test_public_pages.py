"""What the public sees: without sign-in, cookie or script, small, and unchanged where nothing has changed."""

import csv
import json
import re

import pytest

from tests.harness.browsing import Got
from tests.harness.waiting import eventually
from tests.integration.console.conftest import BANDUNG, CITY, HOSTILE, INDICATORS, PROVINCE, SUMEDANG, Console

LARGEST = 30_000
PAGES = ("/", "/en/", f"/r/{SUMEDANG}", f"/en/r/{SUMEDANG}", "/find?q=sumedang", "/en/find?q=x", "/r/EVIL-1")


async def with_style(console: Console, path: str) -> tuple[Got, int]:
    """A page, and the size of it with all that it loads."""
    page = await console.get(path)
    loaded = re.findall(r'<link rel="(?:stylesheet|icon)" href="([^"]+)"', page.text)
    assert not re.search(r"<(script|img|iframe|object|video)\b|<[^>]*\s(style|on\w+)=|javascript:", page.text)
    return page, page.wire + sum([(await console.get(one)).wire for one in loaded])


async def test_every_page_is_small_closed_and_leaves_nothing_behind(nation: Console) -> None:
    for path in PAGES:
        page, size = await with_style(nation, path)
        assert page.status == 200, path
        assert size < LARGEST, f"{path} takes {size} bytes uncompressed"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "set-cookie" not in page.headers
        assert page.headers["x-content-type-options"] == "nosniff"
        assert f'<html lang="{"en" if path.startswith("/en/") else "id"}">' in page.text


async def test_a_hostile_name_is_text_on_every_page(nation: Console) -> None:
    for path in ("/", "/r/EVIL-1", "/en/r/EVIL-1", "/race.json", "/r/EVIL-1.json"):
        page = await nation.get(path)
        assert page.status == 200
        assert "alert(1)" in page.text
        assert ("<script" in page.text) == path.endswith(".json")
        assert page.headers["content-type"].startswith("application/json" if path.endswith("json") else "text/html")
    echoed = await nation.get("/find?q=%3Cscript%3Ealert(1)%3C/script%3E%22onfocus=x")
    assert "<script" not in echoed.text
    wrong = await nation.get("/?group=%3Cscript%3Ealert(1)%3C/script%3E")
    assert wrong.status == 400
    assert "<script" not in wrong.text


async def test_the_race_shows_places_and_what_moved_in_both_languages(nation: Console) -> None:
    page = (await nation.get("/")).text
    assert "Peringkat 1–5 dari 5" in page
    assert re.search(r'<td>1<td><a href="/r/EVIL-1">.*<td>5,00 <small>Memuaskan</small><td>baru', page)
    assert re.search(rf'<td>2<td><a href="/r/{SUMEDANG}">Kabupaten Sumedang</a><td>4,\d\d', page)
    english = (await nation.get("/en/")).text
    assert re.search(rf'<a href="/en/r/{SUMEDANG}">Kabupaten Sumedang</a><td>4\.\d\d', english)
    province = (await nation.get("/?group=province:32")).text
    assert "Peringkat 1–3 dari 3" in province
    # The mean of each province stands on its tile.
    assert re.search(r'class="t32"><a class="b4" href="/\?[^"]*province%3A32[^"]*" title="Jawa Barat"', page)


async def test_tables_can_be_taken_along(nation: Console) -> None:
    found = json.loads((await nation.get("/race.json?group=kind:kabupaten")).text)
    assert [row["institution"] for row in found["rows"]] == [SUMEDANG, BANDUNG]
    assert found["rows"][0] | {"gain": "", "name": ""} == {
        "rank": 1,
        "institution": SUMEDANG,
        "name": "",
        "index": found["rows"][0]["index"],
        "published": "",
        "predicate": "Memuaskan",
        "movement": 0,
        "gain": "",
    }
    answer = await nation.get("/race.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [row["institution"] for row in rows][:2] == ["EVIL-1", SUMEDANG]
    assert rows[0]["name"] == HOSTILE
    region = json.loads((await nation.get(f"/r/{SUMEDANG}.json")).text)
    assert [(one["instrument"], one["period"]) for one in region["periods"]] == [
        ("spbe-5-2018", "2019"),
        ("spbe-59-2020", "2024"),
        ("spbe-59-2020", "2025"),
    ]
    assert len(region["newest"]["indicators"]) == INDICATORS
    assert (await nation.get(f"/r/{SUMEDANG}.csv")).text.splitlines()[1].startswith(f"{SUMEDANG},Kabupaten Sumedang,")
    await all_of_it_by_one_address(nation)


async def all_of_it_by_one_address(nation: Console) -> None:
    answer = await nation.get("/data/race.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["access-control-allow-origin"] == "*"
    again = await nation.get("/data/race.csv", if_none_match=answer.headers["etag"])
    assert (again.status, again.wire) == (304, 0)
    assert (await nation.get("/data/race.csv", accept_encoding="gzip")).wire < answer.wire / 2
    rows = list(csv.DictReader(answer.text.splitlines()))
    # Every region, period and instrument, what is published and what is computed apart.
    told = sorted((row["institution"], row["instrument"], row["period"], row["basis"]) for row in rows)
    four = (SUMEDANG, BANDUNG, CITY, PROVINCE)
    assert told == sorted(
        [(code, "spbe-59-2020", period, "computed") for code in four for period in ("2024", "2025")]
        + [("EVIL-1", "spbe-59-2020", "2025", "computed")]
        + [(code, "spbe-5-2018", "2019", "published") for code in (SUMEDANG, BANDUNG)]
    )
    mine = next(row for row in rows if (row["institution"], row["period"]) == (SUMEDANG, "2025"))
    region = json.loads((await nation.get(f"/r/{SUMEDANG}.json")).text)["newest"]
    assert (mine["index"], mine["predicate"], mine["stage"]) == (region["index"], region["predicate"], "publication")
    assert (mine["rank"], mine["ranked"], mine["version"]) == ("2", "5", "1")
    nodes = {f"{node['kind']}_{node['number']}": node["value"] for node in region["nodes"]}
    shown = {name: value for name, value in nodes.items() if name.startswith(("domain_", "aspect_"))}
    assert len(shown) == 12
    assert {name: mine[name] for name in shown} == shown
    # What is not known is empty, and not nought.
    old = next(row for row in rows if row["period"] == "2019" and row["institution"] == SUMEDANG)
    assert (old["index"], old["movement"], old["domain_1"]) == ("2.91", "", "")
    assert next(row for row in rows if row["institution"] == "EVIL-1")["name"] == HOSTILE
    found = json.loads((await nation.get(f"/data/race.json?institution={SUMEDANG}&period=2025")).text)
    assert list(rows[0]) == found["columns"]
    [record] = found["rows"]
    assert {name: "" if value is None else str(value) for name, value in record.items()} == mine
    [named] = [one for one in found["instruments"] if one["instrument"] == "spbe-59-2020"]
    assert named["columns"]["domain_1"].startswith("Kebijakan")
    empty = await nation.get("/data/race.csv?period=1999")
    assert empty.text.splitlines() == [",".join(found["columns"])]


async def test_a_region_breaks_its_line_where_the_instrument_changes(nation: Console) -> None:
    page = (await nation.get(f"/r/{SUMEDANG}")).text
    assert len(re.findall("<polyline", page)) == 2
    assert len(re.findall('class="cut"', page)) == 1
    # Down to each indicator, with the regulation.
    assert "PermenPANRB 59/2020" in page
    assert len(re.findall(r"<tr><td>\d+</td>", page)) >= INDICATORS
    assert "Rata-rata kelompok" in page


async def test_what_has_not_changed_is_not_sent_again(nation: Console) -> None:
    first = await nation.get("/")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, no-cache"
    again = await nation.get("/", if_none_match=tag)
    assert (again.status, again.wire, again.headers["etag"]) == (304, 0, tag)
    assert (await nation.get("/", if_none_match='W/"other"')).status == 200
    compressed = await nation.get("/", accept_encoding="gzip")
    assert compressed.body == first.body
    assert compressed.wire < first.wire / 2
    assert (await nation.get("/en/")).headers["etag"] != tag
    await nation.imported([("33.74", "spbe-59-2020", "2025", "", "3.33")])

    async def changed() -> bool:
        return (await nation.get("/", if_none_match=tag)).status == 200

    await eventually(changed)


async def test_published_and_computed_values_are_not_mixed(nation: Console) -> None:
    await nation.imported([("33.74", "spbe-59-2020", "2025", "", "3.33")])

    async def told() -> bool:
        page = (await nation.get("/?basis=&period=2025")).text
        return "Keduanya tidak pernah dibandingkan" in page and "Kota Semarang" in page

    await eventually(told)
    computed = (await nation.get("/?basis=computed")).text
    assert "Kota Semarang" not in computed
    assert "Kabupaten Sumedang" in computed


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/r/99.99", 404),
        ("/r/../../etc", 404),
        ("/en/r/%3Cscript%3E", 404),
        ("/r/99.99.csv", 404),
        ("/?group=kind:x", 200),
        ("/?page=99999999999&period=1&instrument=%00", 400),
        ("/static/console.000000000000.css", 404),
        ("/healthz", 200),
    ],
)
async def test_what_is_not_there_is_said_in_a_page(console: Console, path: str, status: int) -> None:
    page = await console.get(path)
    assert page.status == status
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Traceback" not in page.text


async def test_with_nothing_in_it_the_race_says_so(console: Console) -> None:
    page = await console.get("/")
    assert page.status == 200
    assert "Belum ada hasil" in page.text
    assert json.loads((await console.get("/race.json")).text)["rows"] == []
