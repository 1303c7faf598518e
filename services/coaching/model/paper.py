"""An action plan as a document to sign, in Bahasa Indonesia: what stands where, whatever it is printed on. Pure: the
same plan says the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from livinglab.coaching.v1 import action_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb

from services.coaching.model.plan import live

_MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)
_STATES = {
    pb.PLAN_STATE_DRAFT: "rancangan",
    pb.PLAN_STATE_SUBMITTED: "diserahkan kepada pendamping",
    pb.PLAN_STATE_RETURNED: "dikembalikan pendamping",
    pb.PLAN_STATE_APPROVED: "disetujui",
    pb.PLAN_STATE_IN_PROGRESS: "sedang dilaksanakan",
    pb.PLAN_STATE_DONE: "selesai",
    pb.PLAN_STATE_DROPPED: "dihentikan",
}
_ACTION_STATES = {
    pb.ACTION_STATE_PLANNED: "direncanakan",
    pb.ACTION_STATE_IN_PROGRESS: "berjalan",
    pb.ACTION_STATE_DONE: "dilaporkan selesai",
}
_FUNDS = {
    action_pb2.FUND_SOURCE_OWN_BUDGET: "APBD",
    action_pb2.FUND_SOURCE_CSR: "CSR",
    action_pb2.FUND_SOURCE_MUTUAL_AID: "gotong royong",
}
HEADERS = (
    "No.",
    "Indikator",
    "Aksi dan kriteria",
    "Tingkat",
    "Penanggung jawab",
    "Waktu",
    "Biaya",
    "Dokumen",
    "Status",
)
SEATS = ("Sekretaris Daerah", "Kepala Dinas Komunikasi dan Informatika", "Pendamping")


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed: facts by name, a row of cells for each action, cells of lines, those that were dropped."""

    title: str
    institution: str
    facts: tuple[tuple[str, str], ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]
    total: str
    dropped: tuple[str, ...]
    footer: str
    language: str = "id"


def paper(plan: pb.Plan, institution_name: str) -> Paper:
    """The document of a plan; nothing of it but the name of its institution comes from elsewhere."""
    actions = live(plan)
    number = {action.id: str(n) for n, action in enumerate(actions, 1)}
    costs = [Decimal(action.cost) for action in actions if action.cost]
    return Paper(
        title="RENCANA AKSI",
        institution=institution_name,
        facts=(
            ("Angkatan", plan.cohort_id),
            ("Pendamping", plan.coach_id),
            ("Indeks awal dan sasaran", f"{_decimal(plan.from_index)} menjadi {_decimal(plan.to_index)}"),
            ("Status", f"{_STATES.get(plan.state, '')}, versi {plan.etag}"),
        ),
        rows=tuple(_row(action, number) for action in actions),
        total=rupiah(sum(costs, Decimal(0))) if costs else "",
        dropped=tuple(
            f"{action.indicator}. {action.indicator_name}: {action.drop_reason}"
            for action in plan.actions
            if action.state == pb.ACTION_STATE_DROPPED
        ),
        footer=f"{plan.id}, versi {plan.etag}",
    )


def _row(action: pb.Action, number: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    before = ", ".join(number[one] for one in action.depends_on if one in number)
    status = "terbukti" if action.proven_value else _ACTION_STATES.get(action.state, "")
    return (
        (number[action.id],),
        (f"{action.indicator}. {action.indicator_name}",),
        _lines(
            action.description,
            *(f"• {criterion}" for criterion in action.criteria),
            f"Setelah aksi {before}" if before else "",
        ),
        (f"{_decimal(action.from_value)} ke {_decimal(action.to_value)}", f"(+{_decimal(action.gain)})"),
        _lines(action.owner, action.person) or ("",),
        _lines(
            f"mulai {_whole(day(action.start_date))}" if action.start_date else "",
            f"paling lambat {_whole(day(action.due_date))}" if action.due_date else "",
        ),
        _lines(rupiah(Decimal(action.cost)) if action.cost else "", _FUNDS.get(action.fund_source, "")),
        _lines(*(f"• {document}" for document in action.documents)),
        (status,),
    )


def day(iso: str) -> str:
    """2023-01-21 as 21 Januari 2023."""
    year, month, number = iso.split("-")
    return f"{int(number)} {_MONTHS[int(month) - 1]} {year}"


def _whole(text: str) -> str:
    """Words that stay on one line."""
    return text.replace(" ", "\u00a0")


def rupiah(amount: Decimal) -> str:
    """1500000 as Rp1.500.000; parts of a rupiah only where there are any."""
    whole, _, part = f"{amount:f}".partition(".")
    grouped = f"{int(whole):,}".replace(",", ".")
    return f"Rp{grouped}" + (f",{part}" if part.strip("0") else "")


def _decimal(text: str) -> str:
    return text.replace(".", ",")


def _lines(*texts: str) -> tuple[str, ...]:
    return tuple(_split(texts))


def _split(texts: Iterable[str]) -> Iterable[str]:
    """What people typed on several lines stays on several."""
    for text in texts:
        yield from (line for line in text.splitlines() if line.strip())
