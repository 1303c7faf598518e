"""Drafts become messages: the text, the channel, the time from which each may go out."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from livinglab.notify.v1 import service_pb2 as pb

from chassis import mongo, naming
from services.notify.store.messages import Store
from services.notify.texts import Texts


class Writer:
    """Composes messages and stores them; `wake` tells the delivery that there is something to send."""

    def __init__(self, store: Store, texts: Texts, wake: Callable[[], None]) -> None:
        self.texts = texts
        self.wake = wake
        self._store = store

    def compose(self, drafts: Sequence[pb.Draft], cohort_id: str, rehearsal: str, rule: str = "") -> list[pb.Message]:
        """Messages that are not stored yet. jinja2.UndefinedError where a value is missing."""
        now = datetime.now(UTC)
        # Ids of one millisecond are in no order of their own.
        ids = sorted(naming.new_id() for _ in drafts)
        return [
            self._message(message_id, draft, cohort_id, rehearsal, rule, now)
            for message_id, draft in zip(ids, drafts, strict=True)
        ]

    async def write(self, drafts: Sequence[pb.Draft], cohort_id: str, rehearsal: str, rule: str) -> None:
        """Stores them in a transaction of their own. Drafts have keys: again, it writes nothing more."""
        messages = self.compose(drafts, cohort_id, rehearsal, rule)

        async def body(tx: mongo.Tx) -> None:
            await self._store.add(tx, messages)

        await self._store.db.transaction(body)
        self.wake()

    def _message(
        self, message_id: str, draft: pb.Draft, cohort_id: str, rehearsal: str, rule: str, now: datetime
    ) -> pb.Message:
        text = self.texts.write(draft.template, draft.recipient.language, draft.values, rehearsal=bool(rehearsal))
        message = pb.Message(
            id=message_id,
            template=draft.template,
            recipient=draft.recipient,
            values=draft.values,
            subject=text.subject,
            body=text.body,
            state=pb.MESSAGE_STATE_QUEUED,
            channel=pb.CHANNEL_EMAIL,
            accept_time=mongo.timestamp(now),
            next_attempt_time=mongo.timestamp(now),
            cohort_id=cohort_id,
            rehearsal=rehearsal,
            key=draft.key,
            rule=rule,
        )
        if not draft.recipient.email:
            message.channel = pb.CHANNEL_INBOX
            message.state = pb.MESSAGE_STATE_DELIVERED
            message.ClearField("next_attempt_time")
            message.delivery_time.FromDatetime(now)
        return message
