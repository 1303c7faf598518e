"""Examines the platform again and again, until everything holds or the time is up: what was only in motion settles by
itself."""

import asyncio
import time
from datetime import timedelta

from stack.doctor import cohorts_hold, facts_hold, letters_hold, projections_hold
from stack.doctor.finding import Finding
from stack.doctor.patient import Servers, examined

PARTS = (facts_hold, cohorts_hold, projections_hold, letters_hold)
GRACE = timedelta(seconds=10)
_AGAIN_SECONDS = 1.0


async def examine(servers: Servers, grace: timedelta = GRACE) -> list[Finding]:
    """Every invariant; what is younger than the grace may still be under way and is passed by."""
    async with examined(servers, grace) as patient:
        return [finding for part in PARTS async for finding in part.check(patient)]


async def settled(servers: Servers, patience: float, grace: timedelta = GRACE) -> list[Finding]:
    """The first examination in which everything holds, else the last one within `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        findings = await examine(servers, grace)
        if all(finding.holds for finding in findings) or time.monotonic() >= end:
            return findings
        await asyncio.sleep(_AGAIN_SECONDS)
