"""A page of a list fits into an answer, however large its rows are."""

import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from chassis import mongo

LARGE = BytesValue(value=bytes(mongo.LARGEST_PAGE // 3))


@pytest.mark.parametrize(
    ("messages", "fit"),
    [
        ([], 0),
        ([BytesValue()] * 1000, 1000),
        ([LARGE] * 9, 2),
        # The first comes whatever its size: else no page would ever be further.
        ([BytesValue(value=bytes(2 * mongo.LARGEST_PAGE)), LARGE], 1),
    ],
)
def test_a_page_holds_as_many_as_fit(messages: list[BytesValue], fit: int) -> None:
    assert mongo.fitting(messages) == fit
