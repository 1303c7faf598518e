"""Periods in the order of the calendar on the console's pages, whatever part of a year they are."""

from services.console.model import charts


def test_halves_quarters_and_months_stand_in_order_between_the_years() -> None:
    told = ["2022", "2021", "2022-Q3", "2022-H1", "2022-M01", "2021-2", "2021-1"]
    ordered = sorted(told, key=charts.year_of)
    assert ordered.index("2021") < ordered.index("2022-M01") < ordered.index("2022-H1") < ordered.index("2022-Q3")
    assert ordered[-1] == "2022"
    assert ordered.index("2021-1") < ordered.index("2021-2")
