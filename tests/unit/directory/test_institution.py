"""What an institution must say of itself, what a file of them comes to, and what one process knows of them."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.program.v1 import directory_service_pb2 as pb

from chassis import naming
from chassis.errors import Kind, Refused
from chassis.tables.lines import CURE
from directory import Institution, official_regions
from directory.file import rows_of
from directory.known import Directory
from services.program.model import institution

KOREA = Institution("KOR", "Republic of Korea", "country", "", 3)
SEOUL = Institution("KOR-11", "Seoul", "city", "KOR", 1)


def judged(text: str, *registered: Institution) -> institution.Judgement:
    rows = list(rows_of(b"code,name,kind,parent\n" + text.encode()))
    return institution.judged(rows, {one.code: one for one in registered})


def reasons(text: str, *registered: Institution) -> dict[int, str]:
    return {rejected.line: rejected.reason for rejected in judged(text, *registered).rejected}


def test_what_is_new_what_has_changed_and_what_stays() -> None:
    found = judged("KOR,Korea,country,\nKOR-11,Seoul,city,KOR\nKOR-26,Busan,city,KOR\n", KOREA, SEOUL)
    assert found.changed == [
        Institution("KOR", "Korea", "country", "", 4),
        Institution("KOR-26", "Busan", "city", "KOR", 1),
    ]
    assert (found.unchanged, found.rejected) == (1, [])


def test_the_fact_says_all_there_is_to_say() -> None:
    told = institution.fact(SEOUL)
    assert (told.meta.aggregate_id, told.meta.version) == ("KOR-11", 1)
    assert (told.code, told.name, told.kind, told.parent) == ("KOR-11", "Seoul", "city", "KOR")


def test_an_official_region_is_taken_as_it_is_or_refused() -> None:
    found = judged("32.11,Kabupaten Sumedang,kabupaten,32\n32.12,Indramayu,kabupaten,32\n32,Jawa Barat,provinsi,\n")
    assert (found.unchanged, found.changed) == (2, [])
    assert [one.reason for one in found.rejected] == [
        "32.12 is an official region, Kabupaten Indramayu (kabupaten of 32), and stays so"
    ]


def test_a_parent_is_official_registered_or_of_the_same_file_in_any_order() -> None:
    found = judged("dinas,Dinas,agency,32.11\nKOR-11,Seoul,city,KOR\nx.1,One,unit,x\nx,All,union,\n", KOREA)
    assert [one.code for one in found.changed] == ["dinas", "KOR-11", "x.1", "x"]
    assert reasons("y,Y,unit,nobody\n") == {
        2: "parent 'nobody' is neither an official region, nor registered, nor in this file"
    }


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a,A,x,b\nb,B,x,c\nc,C,x,a\nd,D,x,a\n", [2, 3, 4]),
        # By what is registered: Seoul lies in Korea.
        ("KOR,Korea,country,KOR-11\n", [2]),
        ("KOR,Korea,country,new\nnew,New,union,KOR-11\n", [2, 3]),
    ],
)
def test_nobody_belongs_to_itself(text: str, lines: list[int]) -> None:
    found = reasons(text, KOREA, SEOUL)
    assert list(found) == lines
    assert all(reason.startswith("belongs to itself, by its parent ") for reason in found.values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Name,x,", "has no code"),
        ("a,,x,", "has no name"),
        ("a,Name,,", "has no kind"),
        ("a,Name,x,a", "is its own parent"),
        ("a b,Name,x,", "code 'a b' must start"),
        ("a:b,Name,x,", "code 'a:b' must start"),
        ("a/b,Name,x,", "code 'a/b' must start"),
        ("a*,Name,x,", "code 'a*' must start"),
        ("a>,Name,x,", "code 'a>' must start"),
        ("-a,Name,x,", "code '-a' must start"),
        ("a..b,Name,x,", "code 'a..b' must start"),
        ("a.,Name,x,", "code 'a.' must start"),
        ("é,Name,x,", "code 'é' must start"),
        (f"{'a' * 33},Name,x,", f"code '{'a' * 33}' must start"),
        ("a,Name\u202e,x,", "name 'Name\\u202e' must be one line"),
        ('a,"two\nlines",x,', "name 'two\\nlines' must be one line"),
        ("a,Name,Country,", "kind 'Country' must be a word"),
        ("a,Name,x--y,", "kind 'x--y' must be a word"),
        ("a,Name,x,y,z", "has 5 columns, not 4"),
        (f"a,{'n' * 201},x,", "has a cell of more than 200 characters"),
    ],
)
def test_a_bad_row_is_named_with_its_reason(row: str, reason: str) -> None:
    found = reasons(row + "\ngood,Good,x,\n")
    assert list(found) == [2]
    assert found[2].startswith(reason)


def test_every_fault_of_a_row_is_named_and_a_code_is_given_once() -> None:
    assert reasons("a,,x,\na,A,X,nobody\n")[3].split("; ")[0].startswith("kind 'X'")
    assert reasons("a,,x,\na,A,X,nobody\n")[3].count("; ") == 2
    assert reasons("a,A,x,\nb,B,x,\na,A,x,\n") == {4: "a was given before, in line 2"}


def test_a_file_is_read_as_spreadsheets_write_it() -> None:
    text = "\ufeffName;KIND;code\r\nSeoul;city;KOR-11\r\n;;\r\n Majalengka ;kabupaten;32.1\r\n"
    found = list(rows_of(text.encode()))
    assert found == [
        pb.InstitutionRow(line=2, code="KOR-11", name="Seoul", kind="city"),
        pb.InstitutionRow(line=4, code="32.10", name="Majalengka", kind="kabupaten"),
    ]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "is empty: the header must be `code,name,kind[,parent]`"),
        (b"code,name\n", 1, "the header must be `code,name,kind[,parent]`: kind is missing"),
        (b"code,name,kind,kind\n", 1, "the header must be `code,name,kind[,parent]`: the column kind stands twice"),
        (b"code,name,kind\na,b\xff,c\n", 2, f"is not UTF-8 text: {CURE}"),
        (b'code,name,kind\na,"b"x,c\n', 2, "is not CSV: ',' expected after '\"'"),
    ],
)
def test_what_cannot_be_read_is_a_row_that_says_so(content: bytes, line: int, reason: str) -> None:
    assert list(rows_of(content)) == [pb.InstitutionRow(line=line, unreadable=reason)]
    rejected = institution.judged(list(rows_of(content)), {}).rejected
    assert [(one.line, one.reason) for one in rejected] == [(line, reason)]


@pytest.mark.parametrize(
    ("rows", "registered", "reason"),
    [(institution.MOST_ROWS + 1, 0, "FILE_TOO_LARGE"), (0, institution.MOST_INSTITUTIONS + 1, "DIRECTORY_FULL")],
)
def test_files_and_the_directory_have_limits(rows: int, registered: int, reason: str) -> None:
    institution.require_count(institution.MOST_ROWS, institution.MOST_INSTITUTIONS)
    with pytest.raises(Refused) as raised:
        institution.require_count(rows, registered)
    assert (raised.value.kind, raised.value.reason) == (Kind.RESOURCE_EXHAUSTED, reason)


def test_a_long_chain_is_judged_in_reasonable_time() -> None:
    count = institution.MOST_ROWS
    rows = [
        pb.InstitutionRow(line=n, code=f"c{n}", name="N", kind="x", parent=f"c{n - 1}" if n else "")
        for n in range(count)
    ]
    assert len(institution.judged(rows, {}).changed) == count


def test_the_official_list_comes_first_and_the_newest_registration_counts() -> None:
    known: Mapping[str, Institution] = Directory([SEOUL, KOREA, Institution("32.11", "Elsewhere", "city", "", 9)])
    assert known["32.11"] == official_regions()["32.11"]
    assert len(known) == len(official_regions()) + 2
    assert "KOR" in known
    assert known.get("PRK") is None
    directory = Directory([KOREA])
    directory.learn([Institution("KOR", "Old", "country", "", 2)])
    assert directory["KOR"] == KOREA
    directory.learn([Institution("KOR", "Korea", "country", "", 4)])
    assert directory["KOR"].name == "Korea"


def test_who_listens_is_told_of_each_change_and_of_nothing_else() -> None:
    directory, told = Directory(), list[int]()
    directory.on_news(lambda: told.append(len(directory)))
    directory.learn([KOREA])
    directory.learn([KOREA])
    directory.learn([])
    assert told == [len(official_regions()) + 1]


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        ("51.71", "Asia/Makassar"),
        ("dinas", "Asia/Jakarta"),
        ("unit", "Asia/Jakarta"),
        ("KOR-11", "UTC"),
        ("nobody", "UTC"),
        ("a", "UTC"),
    ],
)
def test_the_clock_of_an_institution_is_that_of_its_region(code: str, zone: str) -> None:
    more = [Institution("dinas", "D", "agency", "32.11", 1), Institution("unit", "U", "unit", "dinas", 1)]
    # Never registered so, but a lookup ends.
    circle = [Institution("a", "A", "x", "b", 1), Institution("b", "B", "x", "a", 1)]
    assert Directory([KOREA, SEOUL, *more, *circle]).time_zone(code) == zone


_CODES = st.sampled_from(["a", "b", "a.b", "32.11", "32", "32.1", "KOR", "x y", "", "a..b", "c" * 33, "*", "\x00"])
_ROWS = st.lists(
    st.builds(
        pb.InstitutionRow,
        line=st.integers(1, 99),
        code=_CODES,
        name=st.sampled_from(["A", "", "Jawa Barat", "\n"]),
        kind=st.sampled_from(["country", "provinsi", "", "X"]),
        parent=_CODES,
        unreadable=st.sampled_from(["", "", "", "is not CSV"]),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(_ROWS, _ROWS)
def test_whatever_is_taken_has_a_subject_a_parent_and_no_circle(
    before: list[pb.InstitutionRow], rows: list[pb.InstitutionRow]
) -> None:
    known: dict[str, Institution] = {}
    for some in (before, rows):
        found = institution.judged(some, known)
        assert found.unchanged + len(found.changed) + len(found.rejected) == len(some)
        if not found.rejected:
            known |= {one.code: one for one in found.changed}
    for code, one in known.items():
        assert code not in official_regions()
        assert naming.subject(institution.fact(one)) == f"program.v1.InstitutionRegistered.{code}"
        above, passed = one.parent, {code}
        while above in known:
            assert above not in passed
            passed.add(above)
            above = known[above].parent
        assert above == "" or above in official_regions()


def test_one_that_was_registered_by_mistake_is_taken_out_and_its_versions_go_on() -> None:
    with pytest.raises(Refused, match="1 institutions belong to KOR: KOR-11"):
        institution.withdrawn("KOR", "not ours", {"KOR": KOREA, "KOR-11": SEOUL})
    with pytest.raises(Refused, match="is an official region"):
        institution.withdrawn("32.11", "not ours", {})
    gone = institution.withdrawn("KOR-11", "not ours", {"KOR": KOREA, "KOR-11": SEOUL})
    assert (gone.version, institution.fact(gone).withdrawn) == (2, "not ours")
    with pytest.raises(Refused, match="KOR-11"):
        institution.withdrawn("KOR-11", "not ours", {"KOR-11": gone})
    assert judged("KOR-11,Seoul,city,KOR\n", KOREA, gone).changed == [Institution("KOR-11", "Seoul", "city", "KOR", 3)]
    assert "parent 'KOR-11'" in reasons("x,X,unit,KOR-11\n", KOREA, gone)[2]


def test_nobody_knows_one_that_was_taken_out_whatever_is_heard_late() -> None:
    known = Directory([KOREA, SEOUL])
    known.learn([Institution("KOR-11", "Seoul", "city", "KOR", 2, "not ours")])
    known.learn([SEOUL])
    assert "KOR-11" not in known
    known.learn([Institution("KOR-11", "Seoul", "city", "KOR", 3)])
    assert known["KOR-11"].version == 3
