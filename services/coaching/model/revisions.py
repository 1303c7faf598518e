"""What is different in a plan between two of its revisions, item by item and field by field."""

from collections.abc import Iterator

from google.protobuf.message import Message
from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import plan_service_pb2 as rpc

from services.coaching.model.editing import shown

# What differs whenever anything does, or says itself who and when; what has a place of its own.
_UNTOLD = frozenset({"etag", "order_etag", "changed_by", "actions", "amendment", "written_by"})
_UNSEEN = frozenset({"progress_time", "report_time", "proven_time"})


def compare(before: pb.Plan, after: pb.Plan) -> list[rpc.PlanDifference]:
    """The plan itself first, then its actions as the later revision has them in order."""
    found = []
    if fields := [*_fields(before, after), *_order(before, after)]:
        found.append(rpc.PlanDifference(kind=rpc.DIFFERENCE_KIND_PLAN, fields=fields))
    known = {action.id: action for action in before.actions}
    for action in after.actions:
        earlier = known.get(action.id)
        fields = list(_fields(earlier or pb.Action(), action))
        if earlier is None:
            found.append(rpc.PlanDifference(kind=rpc.DIFFERENCE_KIND_ADDED, action_id=action.id, fields=fields))
        elif fields:
            found.append(rpc.PlanDifference(kind=_kind(earlier, action), action_id=action.id, fields=fields))
    # A later revision never forgets an action; comparing backwards may.
    left = known.keys() - {action.id for action in after.actions}
    found += [rpc.PlanDifference(kind=rpc.DIFFERENCE_KIND_DROPPED, action_id=one) for one in known if one in left]
    return found


def _kind(before: pb.Action, after: pb.Action) -> rpc.DifferenceKind.ValueType:
    if before.state != after.state == pb.ACTION_STATE_DROPPED:
        return rpc.DIFFERENCE_KIND_DROPPED
    return rpc.DIFFERENCE_KIND_CHANGED


def _fields(before: Message, after: Message) -> Iterator[rpc.FieldDifference]:
    for field in after.DESCRIPTOR.fields:
        if field.name in _UNTOLD | _UNSEEN:
            continue
        was, now = shown(before, field.name), shown(after, field.name)
        if was != now:
            yield rpc.FieldDifference(field=field.name, before=was, after=now)


def _order(before: pb.Plan, after: pb.Plan) -> Iterator[rpc.FieldDifference]:
    """Of the actions that both have."""
    both = {action.id for action in before.actions} & {action.id for action in after.actions}
    was, now = (", ".join(action.id for action in one.actions if action.id in both) for one in (before, after))
    if was != now:
        yield rpc.FieldDifference(field="order", before=was, after=now)
