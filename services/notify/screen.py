"""Stands before the mail server: what goes to an address where nobody is, is not offered again and again."""

from contextlib import suppress
from datetime import UTC, datetime

from livinglab.notify.v1 import service_pb2 as pb

from services.notify.model import messages, refusals
from services.notify.model.messages import Outcome, Taken, Turned
from services.notify.postman import PostOffice
from services.notify.store.addresses import AddressStore
from services.notify.store.messages import DatabaseFailure


class Screen:
    """Sends as the post office does. A mail server that sees us write to nobody for long takes our other letters for
    those of a sender of advertisements."""

    def __init__(self, office: PostOffice, addresses: AddressStore) -> None:
        self._office = office
        self._addresses = addresses

    async def send(self, message: pb.Message) -> Outcome:
        """Offers the mail once, or refuses it in the mail server's stead. Never raises for what the database does: a
        mail that was taken must not be sent again for a note that was not."""
        email = message.recipient.email
        if message.rehearsal:
            return await self._office.send(message)
        known = None
        with suppress(DatabaseFailure):
            known = await self._addresses.find(email)
        if known and refusals.rests(known.refusals, known.refusal_time.ToDatetime(UTC), datetime.now(UTC)):
            return Turned(refusals.told(known.refusals, known.words), for_good=True)
        outcome = await self._office.send(message)
        with suppress(DatabaseFailure):
            if isinstance(outcome, Turned) and outcome.of_address:
                words = messages.without_address(outcome.words, email)
                await self._addresses.refused(email, message.id, message.cohort_id, words)
            elif known and isinstance(outcome, Taken):
                await self._addresses.taken(email)
        return outcome

    async def close(self) -> None:
        """Takes leave of the mail server."""
        await self._office.close()
