"""A cohort's documents as the store has them, for reports: three regions, one of them of two instruments."""

from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2, definition_pb2

from programs import clock, phases
from programs.files.definition import PROGRAMS, load_definition
from services.program.model import closing, states
from services.program.model.ledger import Ledger, Result
from services.program.store import documents
from services.program.store.ledgers import ledger_row

SUMEDANG, BANDUNG, GARUT = "32.11", "32.04", "32.05"
SPBE, PEMDI = "spbe-59-2020", "pemdi-2026"
NOW = datetime(2023, 1, 25, tzinfo=UTC)
HEAD, OPERATOR, SECRETARY = options_pb2.ROLE_HEAD, options_pb2.ROLE_OPERATOR, options_pb2.ROLE_SECRETARY


def assessed(ledger: Ledger, period: str, index: str, predicate: str, instrument: str = SPBE) -> Ledger:
    """A self-assessment with its result."""
    return ledger.submit(instrument, period, Result(index, predicate, 1))


def cohort(*costs: definition_pb2.Cost) -> documents.Row:
    """The living lab of 2022 as a real cohort that was launched before it began."""
    definition, _ = load_definition(PROGRAMS / "living-lab-2022.yaml")
    spec = definition_pb2.CohortSpec(
        id="lab",
        title="Living Lab <2022>",
        definition=definition.id,
        note="sources differ",
        roster=[definition_pb2.Participant(institution=code) for code in (SUMEDANG, BANDUNG, GARUT)],
        costs=costs,
    )
    launched = datetime(2022, 10, 20, tzinfo=UTC)
    row = documents.cohort_row(definition, spec, clock.cohort_clock(definition, spec, launched), b"", launched)
    for kept in row["phases"].values():
        kept.update(invited=3)
    return row


def participant(institution: str, ledger: Ledger, *duties: str, **fields: Any) -> documents.Row:
    """One of its participants."""
    made = documents.participant_row("lab", "", False, definition_pb2.Participant(institution=institution))
    done = {"duties": list(duties), "duty_times": dict.fromkeys(duties, NOW - timedelta(days=60))}
    return {**made, **done, "ledger": ledger_row(ledger), **fields}


def close(row: documents.Row, phase: str, participants: list[documents.Row]) -> None:
    """A phase has closed, and what it came to is kept."""
    definition = definition_pb2.Definition.FromString(row["definition"])
    counts = closing.counts(phases.find_phase(definition, phase), participants, ())
    row["phases"][phase].update(state=cohort_pb2.PHASE_STATE_CLOSED, close_time=NOW, closing=counts)


def three() -> list[documents.Row]:
    """One leapt by its gain, one by its predicate, one failed at the governance meeting."""
    start = Ledger().attend("governance", SECRETARY).attend("governance", HEAD, delegate=True)
    sumedang = assessed(assessed(start, "2022", "2.60", "Baik"), "2023", "3.10", "Baik")
    bandung = assessed(assessed(start, "2022", "2.55", "Cukup"), "2023", "2.60", "Baik")
    bandung = assessed(bandung, "2026", "1.24", "Kurang", PEMDI)
    return [
        participant(BANDUNG, bandung.complete_actions(1, 3), "governance-attended", "self-assessed"),
        participant(
            GARUT,
            Ledger().attend("governance", HEAD),
            state=states.FAILED,
            failed_phase="governance",
            reason="governance closed without governance-attended",
        ),
        participant(SUMEDANG, sumedang.complete_actions(2, 3), "governance-attended", "plan-approved"),
    ]
