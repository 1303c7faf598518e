"""Short messages to phones, by the provider that the platform team has described."""

from pathlib import Path

from livinglab.notify.v1 import service_pb2 as pb

from services.notify.model import gateways
from services.notify.model.destinations import Destinations
from services.notify.model.messages import Outcome, Taken, Unreachable
from services.notify.posting import Poster


class Gateway:
    """Sends as the postman does, over HTTP."""

    def __init__(self, file: Path, destinations: Destinations, poster: Poster) -> None:
        """ValueError names what is wrong with the file, or with the address in it."""
        self._about = gateways.read(file.read_text("utf-8"))
        if fault := destinations.fault_of(self._about.url):
            raise ValueError(f"url: {fault}")
        self._poster = poster

    async def send(self, message: pb.Message) -> Outcome:
        """Offers it once. Never raises for what the provider or the network does."""
        if message.rehearsal:
            return Taken()
        try:
            # Each time: whoever changes it need not start us again.
            file = self._about.secret_file
            secret = file.read_text("utf-8").strip() if file else ""
        except OSError as error:
            return Unreachable(f"the secret cannot be read: {type(error).__name__}")
        headers, body = gateways.request(self._about, message, secret)
        answer = await self._poster.post(self._about.url, headers, body, method=self._about.method, whole=True)
        hidden = {secret: "(secret)", message.phone: "(recipient)", message.phone.removeprefix("+"): "(recipient)"}
        return gateways.outcome(self._about, answer.status, answer.words, hidden)

    async def close(self) -> None:
        """Nothing is kept open."""
