"""What the doctor keeps of what it finds: counts, however much there is."""

import sqlite3
from datetime import UTC, datetime

from livinglab.coaching.v1 import events_pb2

from stack.doctor.facts_hold import _readable
from stack.doctor.finding import Named, some
from stack.doctor.ledger import Ledger, _row
from stack.doctor.patient import Patient, Servers


def test_of_what_is_wrong_a_few_are_named_and_all_are_counted() -> None:
    found = Named()
    assert (not found, some(found, " differ")) == (True, "0 differ")
    found += (str(n) for n in range(1_000_000))
    found += ["more"]
    assert found.first == ["0", "1", "2"]
    assert some(found, " differ") == "1000001 differ: 0, 1, 2, ..."
    assert some(["a", "b"]) == "2: a, b"


def test_a_fact_of_a_newer_release_is_passed_by_and_one_that_is_spoilt_is_not() -> None:
    ledger = Ledger(sqlite3.connect(":memory:"))
    patient = Patient(None, Servers("", ""), ledger, datetime.now(UTC), is_over=True)
    known = events_pb2.AttendanceRecorded.DESCRIPTOR.full_name
    assert _row(ledger, "COACHING", 1, {"ce-type": "livinglab.coaching.v1.AddedFact"}, b"x")[3].endswith("AddedFact")
    finding = _readable(patient)
    assert (finding.holds, finding.found) == (True, "0 cannot; of a newer release: 1 (livinglab.coaching.v1.AddedFact)")
    _row(ledger, "COACHING", 2, {"ce-type": known}, b"\xff\xff")
    assert (_readable(patient).holds, _readable(patient).found.partition(";")[0]) == (False, "1 cannot: COACHING:2")
    _row(ledger, "COACHING", 3, {}, b"")
    assert _readable(patient).found.startswith("2 cannot")
