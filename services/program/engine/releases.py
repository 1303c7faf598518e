"""Releases of the worker as Temporal knows them."""

from temporalio.client import Client
from temporalio.service import RPCError

from chassis.errors import unavailable
from chassis.temporal import builds
from programs.names import DEPLOYMENT, TASK_QUEUE


class Releases:
    """For looking only: which build is current is said by the platform team's own command."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def now(self) -> tuple[list[builds.Build], list[builds.Worker]]:
        """Every build, newest first, and the workers that ask for work; UNAVAILABLE while Temporal does not answer."""
        try:
            found = await builds.builds(self._client, DEPLOYMENT, "ProgramWorkflow")
            return found, await builds.workers(self._client, TASK_QUEUE)
        except RPCError as error:
            raise unavailable("Temporal") from error
