"""Random requests to every method of every service: a typed answer goes out, never UNKNOWN or INTERNAL.

CI sends a bounded number; LIVINGLAB_FUZZ_CALLS=200000 and LIVINGLAB_FUZZ_SEED=7 as many, and others, as one likes."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from chassis import auth
from stack.issuer import Issuer
from tests.harness.generated.everything import OWN, Everything, everything, methods, seeded
from tests.harness.generated.random_requests import Requests
from tests.harness.servers import Servers

CALLS = int(os.environ.get("LIVINGLAB_FUZZ_CALLS", "3000"))
SEED = int(os.environ.get("LIVINGLAB_FUZZ_SEED", "1"))
AT_ONCE = 16
OURS = frozenset({"UNKNOWN", "INTERNAL"})


@pytest.fixture
async def world(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Everything]:
    async with everything(servers, issuer, nats_url) as found:
        yield found


@pytest.mark.timeout(max(300, CALLS // 20))
async def test_no_request_is_answered_by_a_crash(world: Everything) -> None:
    every, dice = methods(), seeded(SEED)
    requests = Requests(dice, world.ids[OWN] | {"institution": OWN})
    codes: Counter[str] = Counter()
    crashed: list[str] = []
    left = CALLS

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            name, method = every[left % len(every)]
            role = auth.role_name(dice.choice(list(auth.policy_of(method).roles)))
            content = requests.content(method.input_type)
            code, reason, _ = await world.call(name, method, content, role, institution=OWN, subject="the-coach")
            codes[code] += 1
            if code in OURS:
                crashed.append(f"{method.full_name} by {role}: {code} {reason} for {content[:400].hex()}")

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    print(f"seed {SEED}: {sum(codes.values())} calls, {dict(codes)}")  # noqa: T201
    assert not crashed, "\n".join(crashed[:10])
    # They got as far as the rules.
    assert codes["OK"] > CALLS / 50
