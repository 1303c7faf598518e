"""How a plan is changed: each change held against the plan as it is; all faults and collisions named, or all done."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message
from livinglab.coaching.v1 import action_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb

from chassis.errors import Kind, Refused, Violation, invalid
from instruments.tree import Item
from services.coaching.model.ground import Ground, weigh, wrong
from services.coaching.model.order import circles
from services.coaching.model.plan import live

_FIELDS = tuple(action_pb2.ActionFields.DESCRIPTOR.fields_by_name)
_OVER = {pb.ACTION_STATE_DONE: "is reported as done", pb.ACTION_STATE_DROPPED: "was dropped"}


@dataclass
class Wanted:
    """Changes of a plan as somebody asks for them."""

    changes: Sequence[action_pb2.ActionChange]
    order: Sequence[str] = ()
    order_etag: str = ""


@dataclass
class Changed:
    """Ids of the actions that are other ones now, in the order of the changes."""

    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    ordered: bool = False

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.dropped or self.ordered)


def apply(plan: pb.Plan, wanted: Wanted, ground: Ground, author: str) -> Changed:
    """Changes the plan; its etag is the next one already. ABORTED names each item that somebody else changed since it
    was read, INVALID_ARGUMENT every fault; the plan is as it was then."""
    draft = pb.Plan()
    draft.CopyFrom(plan)
    work = _Work(draft, wanted, ground, author)
    if collisions := list(work.collisions()):
        message = f"plan {plan.id}: somebody else changed what you change too; nothing was stored"
        raise Refused(Kind.ABORTED, "STALE_ETAG", message, violations=collisions, resource=("plan", plan.id))
    done = work.carried_out()
    if work.faults:
        raise invalid(work.faults)
    if done:
        weigh(draft, ground)
        plan.CopyFrom(draft)
    return done


class _Work:
    """One request on a copy of the plan."""

    def __init__(self, plan: pb.Plan, wanted: Wanted, ground: Ground, author: str) -> None:
        self.plan = plan
        self.faults: list[Violation] = []
        self._wanted, self._ground, self._author = wanted, ground, author
        self._actions = {action.id: action for action in plan.actions}
        self._items: dict[str, Item] = {item.code: item for item in ground.instrument.items(ground.values)}
        # Where in the request an action is spoken of, for faults that show only when all is put together.
        self._places: dict[str, str] = {}

    def collisions(self) -> Iterator[Violation]:
        """Items that were changed since they were read, unless to the very same; and the order."""
        for n, change in enumerate(self._wanted.changes):
            action = self._actions.get(change.action_id)
            if action is None or change.kind == action_pb2.CHANGE_KIND_ADD or not change.etag:
                continue
            if change.etag != action.etag and (now := _told(action, change)):
                yield Violation(f"changes[{n}]", f"{action.id} was changed by {action.changed_by} meanwhile: {now}")
        if self._wanted.order and self._wanted.order_etag not in ("", self.plan.order_etag):
            ids = ", ".join(action.id for action in live(self.plan))
            if list(self._wanted.order) != [action.id for action in live(self.plan)]:
                yield Violation("order", f"actions were added, dropped or ordered meanwhile: {ids}")

    def carried_out(self) -> Changed:
        """Every change on the copy; what is wrong stands in `faults`."""
        done = Changed()
        for n, change in enumerate(self._wanted.changes):
            place = f"changes[{n}]"
            if change.action_id in self._places:
                self._fault(f"{place}.action_id", f"{change.action_id} is changed twice in one request")
                continue
            self._places[change.action_id] = place
            one = {
                action_pb2.CHANGE_KIND_ADD: self._add,
                action_pb2.CHANGE_KIND_EDIT: self._edit,
                action_pb2.CHANGE_KIND_DROP: self._drop,
            }[change.kind]
            one(place, change, done)
        self._check_dependencies()
        self._put_in_order(done)
        if not self._wanted.changes and not self._wanted.order:
            self._fault("changes", "is required: nothing is to be changed")
        if done.added or done.dropped or done.ordered:
            self.plan.order_etag = self.plan.etag
        return done

    def _add(self, place: str, change: action_pb2.ActionChange, done: Changed) -> None:
        if change.action_id in self._actions:
            self._fault(f"{place}.action_id", f"action {change.action_id} is there already")
            return
        item = self._items.get(change.fields.indicator)
        if item is None:
            self._fault(f"{place}.fields.indicator", f"{change.fields.indicator or 'nothing'} is no indicator of it")
            return
        action = self.plan.actions.add(
            id=change.action_id,
            indicator=item.code,
            indicator_name=item.indicator.name,
            from_value=f"{item.value:f}",
            to_value=f"{self._ground.instrument.next_value(item.value):f}",
            state=pb.ACTION_STATE_PLANNED,
        )
        self._actions[action.id] = action
        self._set(place, action, change)
        self._sign(action)
        done.added.append(action.id)

    def _edit(self, place: str, change: action_pb2.ActionChange, done: Changed) -> None:
        action = self._open(place, change)
        if action is None:
            return
        if "indicator" in change.set and change.fields.indicator != action.indicator:
            self._fault(f"{place}.fields.indicator", "stays: drop the action and add one for the other indicator")
        before = action.SerializeToString(deterministic=True)
        self._set(place, action, change)
        if action.SerializeToString(deterministic=True) != before:
            self._sign(action)
            done.changed.append(action.id)

    def _drop(self, place: str, change: action_pb2.ActionChange, done: Changed) -> None:
        action = self._open(place, change)
        if not change.reason.strip():
            self._fault(f"{place}.reason", "is required: say why it is dropped")
        if action is not None:
            action.state, action.drop_reason = pb.ACTION_STATE_DROPPED, change.reason
            self._sign(action)
            done.dropped.append(action.id)

    def _open(self, place: str, change: action_pb2.ActionChange) -> pb.Action | None:
        """The action that is changed, where it can be."""
        action = self._actions.get(change.action_id)
        if action is None:
            self._fault(f"{place}.action_id", f"{change.action_id} is no action of this plan")
        elif action.state in _OVER:
            self._fault(f"{place}.action_id", f"{action.id} {_OVER[action.state]}: it is not changed any more")
        elif not change.etag:
            self._fault(f"{place}.etag", "is required: as the action was read")
        else:
            return action
        return None

    def _set(self, place: str, action: pb.Action, change: action_pb2.ActionChange) -> None:
        adds = change.kind == action_pb2.CHANGE_KIND_ADD
        for name in change.set or ([told.name for told, _ in change.fields.ListFields()] if adds else []):
            if name not in _FIELDS:
                self._fault(f"{place}.set", f"{name} is no field that people set")
            elif name != "indicator":
                _copy(change.fields, action, name)
        found = wrong(action, self.plan.institution, self._ground)
        self.faults += [Violation(f"{place}.fields.{name}", what) for name, what in found]

    def _check_dependencies(self) -> None:
        open_ids = {action.id for action in live(self.plan)}
        before = {action.id: list(action.depends_on) for action in live(self.plan)}
        for action_id, needed in before.items():
            for one in needed:
                if one == action_id or one in open_ids:
                    continue
                gone = "is dropped" if one in self._actions else "is no action of this plan"
                at = self._places.get(action_id) or self._places.get(one, "changes")
                self._fault(f"{at}.fields.depends_on", f"{action_id} depends on {one}, which {gone}")
        for circle in circles(before):
            at = next((self._places[one] for one in circle if one in self._places), "changes")
            self._fault(f"{at}.fields.depends_on", f"leads in a circle: {' → '.join(circle)}")

    def _put_in_order(self, done: Changed) -> None:
        if not self._wanted.order:
            return
        ids = [action.id for action in live(self.plan)]
        if sorted(ids) != sorted(self._wanted.order):
            self._fault("order", f"must name each of these once: {', '.join(ids)}")
        elif not self._wanted.order_etag:
            self._fault("order_etag", "is required: as the plan was read")
        elif ids != list(self._wanted.order):
            rank = {action_id: n for n, action_id in enumerate(self._wanted.order)}
            ordered = sorted(self.plan.actions, key=lambda action: rank.get(action.id, len(rank)))
            copies = [pb.Action.FromString(action.SerializeToString()) for action in ordered]
            del self.plan.actions[:]
            self.plan.actions.extend(copies)
            done.ordered = True

    def _sign(self, action: pb.Action) -> None:
        action.etag, action.changed_by = self.plan.etag, self._author

    def _fault(self, place: str, description: str) -> None:
        self.faults.append(Violation(place, description))


def _told(action: pb.Action, change: action_pb2.ActionChange) -> str:
    """What stands there now of what is to be changed; empty where it is the very same."""
    if change.kind == action_pb2.CHANGE_KIND_DROP:
        return "" if action.state == pb.ACTION_STATE_DROPPED else "it is not what was read"
    if action.state == pb.ACTION_STATE_DROPPED:
        return f"it was dropped, {action.drop_reason}"
    names = [name for name in change.set if name in _FIELDS and getattr(action, name) != getattr(change.fields, name)]
    return ", ".join(f"{name} is {shown(action, name) or 'empty'}" for name in names)


def shown(message: Message, name: str) -> str:
    """A field as people read it."""
    value = getattr(message, name)
    descriptor = message.DESCRIPTOR.fields_by_name[name]
    if descriptor.enum_type is not None:
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", descriptor.enum_type.name).upper() + "_"
        label = descriptor.enum_type.values_by_number[value].name.removeprefix(prefix)
        return "" if label == "UNSPECIFIED" else str(label).lower()
    if descriptor.is_repeated:
        return "; ".join(" ".join(str(one).split()) for one in value)
    return str(value or "")


def _copy(fields: action_pb2.ActionFields, action: pb.Action, name: str) -> None:
    action.ClearField(name)  # type: ignore[arg-type]
    if action_pb2.ActionFields.DESCRIPTOR.fields_by_name[name].is_repeated:
        getattr(action, name).extend(getattr(fields, name))
    else:
        setattr(action, name, getattr(fields, name))
