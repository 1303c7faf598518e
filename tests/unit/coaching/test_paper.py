"""A plan as a document to sign: the same bytes for the same plan, and what people typed stands in it as text."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from livinglab.coaching.v1 import action_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb

from services.coaching.model.paper import day, paper, rupiah
from services.coaching.service.printing.html import html
from services.coaching.service.printing.pdf import pdf

ROOT = Path(__file__).resolve().parents[3]
_AGAIN = (
    "import sys; from tests.unit.coaching.test_paper import plan, printed; sys.stdout.buffer.write(printed(plan()))"
)


def plan(actions: int = 14) -> pb.Plan:
    found = pb.Plan(
        id="plan:living-lab-2022:32.11",
        cohort_id="living-lab-2022",
        institution="32.11",
        coach_id="coach-1",
        state=pb.PLAN_STATE_APPROVED,
        from_index="2.24",
        to_index="3.02",
        etag="7",
    )
    for n in range(1, actions + 1):
        found.actions.add(
            id=str(n),
            indicator=str(n),
            indicator_name="Tingkat Kematangan Kebijakan Internal Arsitektur SPBE Instansi Pusat/Pemerintah Daerah",
            from_value="2",
            to_value="4",
            gain="0.07",
            description="Menetapkan peraturan bupati tentang arsitektur; sosialisasi <kepada> semua OPD & desa",
            criteria=["Kebijakan memuat seluruh domain arsitektur", "Ditetapkan oleh kepala daerah"],
            owner="Dinas Komunikasi dan Informatika, Persandian dan Statistik",
            person="Kepala Bidang Aplikasi Informatika",
            start_date="2022-11-21",
            due_date="2023-01-21",
            cost="150000000",
            fund_source=action_pb2.FUND_SOURCE_OWN_BUDGET,
            documents=["Peraturan Bupati", "Berita acara sosialisasi"],
            depends_on=[str(n - 1)] if n > 1 else [],
            state=pb.ACTION_STATE_PLANNED,
        )
    found.actions[1].state, found.actions[1].drop_reason = pb.ACTION_STATE_DROPPED, "Anggaran dialihkan"
    return found


def printed(found: pb.Plan) -> bytes:
    return pdf(paper(found, "Kabupaten Sumedang"))


def test_the_same_plan_is_the_same_bytes_in_this_process_and_in_another() -> None:
    first = printed(plan())
    assert first.startswith(b"%PDF-")
    assert printed(plan()) == first
    again = subprocess.run([sys.executable, "-c", _AGAIN], cwd=ROOT, capture_output=True, check=True)
    assert again.stdout == first
    assert html(paper(plan(), "Kabupaten Sumedang")) == html(paper(plan(), "Kabupaten Sumedang"))
    other = plan()
    other.actions[0].owner = "Dinas Pendidikan"
    assert printed(other) != first


def test_what_people_typed_is_text_and_never_markup() -> None:
    page = html(paper(plan(), "Kabupaten <b>Sumedang")).decode()
    assert "sosialisasi &lt;kepada&gt; semua OPD &amp; desa" in page
    assert "Kabupaten &lt;b&gt;Sumedang" in page
    assert "Rp1.950.000.000" in page
    assert "Aksi yang dihentikan" in page
    assert 'lang="id"' in page


@pytest.mark.parametrize(
    "text", ["", "<para>", "&amp;", "\u202e\x00\U0001f600", "x" * 2000, "satu\ndua\r\ntiga", "• – →"]
)
def test_anything_that_may_be_typed_can_be_printed(text: str) -> None:
    found = plan(3)
    action = found.actions[0]
    action.description = action.owner = action.person = text
    action.criteria.extend([text] * 20)
    action.documents.append(text)
    assert printed(found).startswith(b"%PDF-")
    assert html(paper(found, "Kabupaten Sumedang"))


def test_a_plan_without_actions_is_printed_too() -> None:
    assert printed(pb.Plan(id="plan:c:32.11", from_index="2.00", to_index="2.00", etag="1")).startswith(b"%PDF-")


def test_days_and_amounts_are_written_as_in_official_letters() -> None:
    assert day("2023-01-21") == "21 Januari 2023"
    assert [rupiah(Decimal(one)) for one in ("0", "1500000", "1234.5", "100.00")] == [
        "Rp0",
        "Rp1.500.000",
        "Rp1.234,5",
        "Rp100",
    ]
