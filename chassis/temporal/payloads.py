"""How messages travel through Temporal, for every client, worker and replayer: protobuf's own bytes.

A build that is one field or one value of an enum behind keeps what it does not know and hands it on; as JSON it would
drop a signal for good, fail an update, and repeat a start without end.
"""

from temporalio.converter import (
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    BinaryProtoPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    JSONPlainPayloadConverter,
    JSONProtoPayloadConverter,
)


class Payloads(CompositePayloadConverter):
    """Of those that can write a value the first one does. JSON of a message is only read: an operator may type it."""

    def __init__(self) -> None:
        super().__init__(
            BinaryNullPayloadConverter(),
            BinaryPlainPayloadConverter(),
            BinaryProtoPayloadConverter(),
            JSONProtoPayloadConverter(ignore_unknown_fields=True),
            JSONPlainPayloadConverter(),
        )


CONVERTER = DataConverter(payload_converter_class=Payloads)
