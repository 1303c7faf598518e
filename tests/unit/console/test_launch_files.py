"""What is uploaded to launch a cohort: faults by file and line, and nothing of this machine is read."""

from pathlib import Path

from services.console.pages.cohort.launch import checked

COHORT = """id: pilot
title: Pilot
definition: living-lab-2022
roster_file: {roster}
"""


def faults(roster: str, *more: tuple[str, bytes]) -> list[str]:
    content = COHORT.format(roster=roster).encode()
    return [str(fault) for fault in checked([("pilot.yaml", content), *more]).faults]


def test_each_fault_has_its_file_and_line() -> None:
    found = faults("roster.csv", ("roster.csv", b"institution,role,name,email\n32.11,head\n"))
    assert any(one.startswith("roster.csv: line 2") for one in found), found
    assert any("pilot.yaml" in one and "4" in one for one in faults("nowhere.csv"))


def test_a_file_of_this_machine_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("institution,role,name,email\nsecret,words,of,somebody\n")
    for named in (str(secret), "../secret.csv", "..\\secret.csv", "sub/secret.csv"):
        found = faults(named)
        assert any("beside" in one for one in found), (named, found)
        assert not any("words" in one for one in found)


def test_a_name_that_climbs_is_only_a_name() -> None:
    found = faults("roster.csv", ("../../roster.csv", b"institution,role,name,email\n32.11,head\n"))
    assert any(one.startswith("roster.csv") for one in found)


def test_without_a_cohort_it_says_so() -> None:
    assert checked([("roster.csv", b"region\n")]).faults
