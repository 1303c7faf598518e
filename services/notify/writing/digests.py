"""Messages of a day that somebody wants together become one letter, in their morning."""

import asyncio

from livinglab.notify.v1 import service_pb2 as pb

from chassis import mongo, telemetry
from chassis.errors import Refused
from services.notify.store.messages import DatabaseFailure, Store
from services.notify.writing.writer import Writer

_LOOK_SECONDS = 5.0
# In one letter; what is left makes another.
_MOST = 50
_RULE = "-" * 40


class Digests:
    """A loop beside the delivery. Several replicas may run side by side: whoever comes second finds nothing held."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                while held := await self._store.held(_MOST):
                    await self._send(held)
            except (DatabaseFailure, Refused) as error:
                # Another replica may have put some of them together meanwhile: what is left is looked at again.
                telemetry.log.warning("waiting", for_="digests", because=str(error)[:200])
            await asyncio.sleep(_LOOK_SECONDS)

    async def _send(self, held: list[pb.Message]) -> None:
        first = held[0]
        values = {
            "name": first.recipient.name,
            "institution_name": first.values["institution_name"],
            "cohort_title": first.values["cohort_title"],
            "count": str(len(held)),
            "letters": f"\n\n{_RULE}\n\n".join(f"{one.subject}\n\n{one.body.strip()}" for one in held),
        }
        # The same ones together once, whoever puts them together.
        draft = pb.Draft(template="digest", recipient=first.recipient, values=values, key=f"digest:{first.id}")
        [message] = await self._writer.compose([draft], first.cohort_id, first.rehearsal)

        async def body(tx: mongo.Tx) -> None:
            if await self._store.digest(tx, [one.id for one in held], message.id):
                await self._store.add(tx, [message])

        await self._store.db.transaction(body)
        self._writer.wake()
