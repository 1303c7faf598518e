"""`make demo` finds its cohort."""

from directory import official_regions
from programs.files.definition import check_cohort
from stack.rehearsal.__main__ import _COHORT


def test_the_cohort_of_the_demo_is_there_and_has_no_fault() -> None:
    loaded = check_cohort(_COHORT, official_regions())
    assert loaded.faults == []
    assert loaded.cohort.message.rehearsal
