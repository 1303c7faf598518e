"""One form of a period, whoever asks: what a file may bring a request may ask for, and a program may assess."""

import pytest
from livinglab.benchmark.v1 import service_pb2
from livinglab.program.v1 import definition_pb2

from chassis import validation
from chassis.forms import periods
from programs.rules import duties

TAKEN = ["2022", "2022-1", "2022-10", "2022-H1", "2022-H2", "2022-Q4", "2022-M01", "2022-M12", "2022-05"]
REFUSED = ["2022-H3", "2022-H0", "2022-Q5", "2022-M13", "2022-M1", "2022-h1", "1822", "2022-", "2022-123", "2022-H1 "]


def asked(period: str) -> list[str]:
    race = service_pb2.Race(instrument="spbe-59-2020", period=period)
    return [fault.field for fault in validation.violations(race)]


def assessed(period: str) -> list[str]:
    duty = definition_pb2.Duty(instrument="spbe-59-2020", period=period)
    return [fault.field for fault in duties._evaluation("duty", duty, None)]


@pytest.mark.parametrize("period", TAKEN)
def test_every_kind_of_period_is_taken_everywhere(period: str) -> None:
    assert periods.is_period(period)
    assert asked(period) == assessed(period) == []


@pytest.mark.parametrize("period", REFUSED)
def test_what_is_no_period_is_refused_everywhere(period: str) -> None:
    assert not periods.is_period(period)
    assert (asked(period), assessed(period)) == (["period"], ["duty.period"])
