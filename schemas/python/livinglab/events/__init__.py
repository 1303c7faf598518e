"""Living Lab's facts for programs outside of it. Needs nats-py, protobuf and the generated messages of this package.

    from livinglab.events import subscribe

    async with subscribe("assessment.v1.*.32.>", durable="my-app", servers="nats://…") as facts:
        async for fact in facts:
            print(fact.name, fact.version, fact.data.institution)

A fact is settled when its turn of the loop ends, and comes again when the turn raises or the program dies: at least
once, each thing's facts in their order. The same fact twice is handed out once (`memory` says for how long that holds).
"""

from livinglab.events.facts import Fact, kinds
from livinglab.events.memory import FileMemory, Memory
from livinglab.events.names import durable_name, stream_of
from livinglab.events.past import replay
from livinglab.events.subscription import NotAllowed, Subscription, forget, subscribe

__all__ = [
    "Fact",
    "FileMemory",
    "Memory",
    "NotAllowed",
    "Subscription",
    "durable_name",
    "forget",
    "kinds",
    "replay",
    "stream_of",
    "subscribe",
]
