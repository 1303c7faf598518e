"""Messages: written, looked at, counted, and the rules by which facts are told."""

from collections.abc import Iterator
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1 import service_pb2_grpc

from chassis import auth, mongo
from chassis.errors import Violation, invalid
from services.notify.model import messages as model
from services.notify.model.rules import Rules
from services.notify.store.messages import Store
from services.notify.writing.writer import Writer


class NotifyService(service_pb2_grpc.NotifyServiceServicer):
    """The contract, on one store, the templates and the rules."""

    def __init__(self, store: Store, writer: Writer, rules: Rules) -> None:
        self._store = store
        self._writer = writer
        self._texts = writer.texts
        self._rules = rules

    async def SendMessages(self, request: pb.SendMessagesRequest, context: Any) -> pb.SendMessagesResponse:
        faults = list(self._faults(request))
        if faults:
            raise invalid(faults)
        refused = list(model.refusals(request.drafts))
        unwritten = {one.draft for one in refused}
        drafts = [draft for place, draft in enumerate(request.drafts) if place not in unwritten]
        messages = await self._writer.compose(drafts, request.cohort_id, request.rehearsal)

        async def decide(tx: mongo.Tx) -> pb.SendMessagesResponse:
            written = await self._store.add(tx, messages)
            return pb.SendMessagesResponse(message_ids=written, refused=refused)

        response = await self._store.db.once(request, decide, pb.SendMessagesResponse)
        self._writer.wake()
        return response

    async def GetMessage(self, request: pb.GetMessageRequest, context: Any) -> pb.GetMessageResponse:
        return pb.GetMessageResponse(message=_shown(await self._store.get(request.message_id)))

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Any) -> pb.ListMessagesResponse:
        keys: dict[str, Any] = {"cohort_id": request.cohort_id}
        if request.state:
            keys["state"] = request.state
        messages, token = await self._store.page(keys, request)
        return pb.ListMessagesResponse(messages=map(_shown, messages), next_page_token=token)

    async def CountMessages(self, request: pb.CountMessagesRequest, context: Any) -> pb.CountMessagesResponse:
        return pb.CountMessagesResponse(counts=await self._store.counts(request.cohort_id))

    async def ListRules(self, request: pb.ListRulesRequest, context: Any) -> pb.ListRulesResponse:
        return pb.ListRulesResponse(rules=self._rules.all)

    def _faults(self, request: pb.SendMessagesRequest) -> Iterator[Violation]:
        if request.rehearsal and not request.cohort_id:
            # A cohort that was split off a rehearsal goes on in that one: the realm need not be its own id.
            yield Violation("rehearsal", "is the realm of a cohort, which is not named")
        for i, draft in enumerate(request.drafts):
            place = f"drafts[{i}]"
            yield from model.draft_violations(draft, place)
            if draft.template not in self._texts.names:
                yield Violation(f"{place}.template", f"{draft.template} is not one of {', '.join(self._texts.names)}")
                continue
            for value in sorted(self._texts.values(draft.template) - draft.values.keys()):
                yield Violation(f"{place}.values.{value}", f"is needed by {draft.template}")


def _shown(message: pb.Message) -> pb.Message:
    """As the caller may see it: whether a letter arrived is the platform team's business, what is in it is not."""
    if auth.caller().role == options_pb2.ROLE_PLATFORM:
        for field in ("body", "subject", "values"):
            message.ClearField(field)
    return message
