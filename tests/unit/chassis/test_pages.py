"""A page of a list fits into an answer, however large its rows are; a token of one list is no token of another."""

import base64
import re
from pathlib import Path

import pytest
from livinglab.coaching.v1 import service_pb2 as pb

from chassis import pages
from chassis.errors import Refused

ROOT = Path(__file__).resolve().parents[3]


def test_a_token_leads_on_and_the_size_of_a_page_may_change() -> None:
    token = pages.token(pb.ListPlansRequest(cohort_id="c", page_size=2), "c/Kota Å")
    assert pages.after(pb.ListPlansRequest(cohort_id="c", page_size=5, page_token=token)) == "c/Kota Å"
    assert pages.after(pb.ListPlansRequest(cohort_id="c")) == ""


def test_a_token_says_nothing_to_who_reads_it_and_is_fit_for_an_address() -> None:
    token = pages.token(pb.ListPlansRequest(cohort_id="c"), "c/32.11")
    assert "32.11" not in token
    assert token.strip("~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=") == ""


@pytest.mark.parametrize(
    "request_",
    [pb.ListPlansRequest(cohort_id="d"), pb.ListPlansRequest(), pb.ListCoachesRequest(rehearsal="c")],
)
def test_a_token_of_another_list_is_refused(request_: pb.ListPlansRequest | pb.ListCoachesRequest) -> None:
    request_.page_token = pages.token(pb.ListPlansRequest(cohort_id="c"), "c/32.11")
    with pytest.raises(Refused, match="belongs to a list with other filters"):
        pages.after(request_)


@pytest.mark.parametrize("token", ["YQ==", "~", "~YQ==", "~!!", "x", "~" + base64.b64encode(bytes(8)).decode()])
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(Refused, match="is not one that this service gave"):
        pages.after(pb.ListPlansRequest(page_token=token))


def test_every_list_is_paged_here() -> None:
    """Nobody else reads what a request says of its page; who asks another for a list only writes it."""
    found = {
        str(path.relative_to(ROOT))
        for top in ("chassis", "directory", "services")
        for path in (ROOT / top).rglob("*.py")
        if re.search(r"\.page_(size|token)\b(?! = )", path.read_text())
    }
    assert found == {"chassis/pages.py"}
