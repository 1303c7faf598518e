"""Which faults a seed stands for: the same seed, the same faults, on every machine."""

import random
from dataclasses import dataclass

from stack.fleet import MEMBERS

SERVERS = ("mongod", "nats-server", "temporal", "mailbox")
# What keeps data that cannot be made again.
KEEPERS = ("mongod", "nats-server", "temporal")
# The console keeps nothing and asks others.
KEEPING = tuple(member for member in MEMBERS if member != "console")
# Which ways are used, by the names of the links.
ROUTES = (
    *((member, "mongodb") for member in KEEPING),
    *((member, "nats") for member in KEEPING),
    ("notify", "smtp"),
    ("program", "temporal"),
    ("program-worker", "temporal"),
    ("program-worker", "assessment"),
    ("program-worker", "coaching"),
    ("program-worker", "notify"),
    ("console", "benchmark"),
)
KINDS = ("kill", "stop", "cut", "silence", "slow", "fill", "disorder", "clock")

_FEWEST, _MOST = 2, 5


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, to one process or server, or to the way from a process to a `target`."""

    kind: str
    victim: str
    target: str
    # Share of the cohort's writes that are acknowledged when it begins, 0 to 1.
    after: float
    # How long it lasts; 0 for a kill.
    seconds: float
    # Seconds that each chunk is late, or that the clock is off; share of messages that come twice or late.
    strength: float

    def __str__(self) -> str:
        way = f" -> {self.target}" if self.target else ""
        lasts = f" for {self.seconds:.0f} s" if self.seconds else ""
        how = f" by {self.strength:.2f}" if self.strength else ""
        return f"{self.kind} {self.victim}{way}{how}{lasts} after {self.after:.0%}"


def faults(seed: int) -> list[Fault]:
    """In the order in which they begin."""
    dice = random.Random(f"livinglab chaos {seed}")
    drawn = [_fault(dice) for _ in range(dice.randint(_FEWEST, _MOST))]
    return sorted(drawn, key=lambda fault: fault.after)


def _fault(dice: random.Random) -> Fault:
    kind = dice.choice(KINDS)
    after = round(dice.uniform(0, 0.85), 2)
    member = dice.choice(list(MEMBERS))
    anybody = dice.choice([*MEMBERS, *SERVERS])
    if kind == "kill":
        return Fault(kind, anybody, "", after, 0, 0)
    if kind == "stop":
        return Fault(kind, anybody, "", after, dice.uniform(20, 40), 0)
    if kind in ("cut", "silence"):
        return Fault(kind, *dice.choice(ROUTES), after, dice.uniform(5, 30), 0)
    if kind == "slow":
        return Fault(kind, *dice.choice(ROUTES), after, dice.uniform(10, 25), dice.uniform(0.02, 0.3))
    if kind == "fill":
        return Fault(kind, dice.choice(KEEPERS), "", after, dice.uniform(5, 15), 0)
    if kind == "disorder":
        return Fault(kind, dice.choice(KEEPING), "nats", after, dice.uniform(20, 60), dice.uniform(0.1, 0.5))
    return Fault(kind, member, "", after, dice.uniform(10, 40), dice.choice([-1, 1]) * dice.uniform(0.5, 5))
