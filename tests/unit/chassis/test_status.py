"""What a refusal takes to the caller: all of its faults, as far as a status has room."""

import grpc
import grpc.aio

from chassis.errors import Kind, Violation, invalid
from chassis.status import from_rpc_error, to_status

# Of gRPC's 8 KiB; binary metadata is written in base64.
ROOM = 8_192


def test_a_refusal_with_many_or_long_faults_still_fits_the_metadata() -> None:
    for faults in (
        [Violation(f"answers[{n}].value", "is outside the scale, 1 to 5") for n in range(5_000)],
        [Violation("note", "x" * 100_000)],
        [Violation("é" * 400, "é" * 400)] * 9,
    ):
        status = to_status(invalid(faults))
        size = sum(len(value) * 4 // 3 for _, value in status.trailing_metadata) + len(status.details)
        assert 0 < size < ROOM
        assert b"more faults" in status.trailing_metadata[0][1] or len(faults) == 1


def test_what_a_server_that_stops_cut_off_is_unavailable_and_never_internal() -> None:
    cut_off = grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), grpc.aio.Metadata())
    assert from_rpc_error(cut_off).kind is Kind.UNAVAILABLE
