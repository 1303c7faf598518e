"""Which groups' statistics may stand side by side while the values are drafts, so that subtraction shows nobody's.

All groups that are shown cut the bodies of a race into parts: those who are in exactly the same groups. Whatever is
added up of such groups, or subtracted, is made of whole parts. So groups are taken one after the other, and one that
would make a part of fewer than the smallest group is withheld.

That is about one moment. Over time each result that arrives is a part of one, so those who may not see drafts are
shown what is made of them once they are published and not before."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from instruments.rounding import written
from instruments.tree import Instrument, Node, NodeValue
from services.benchmark.model.means import mean
from services.benchmark.model.race import NATION, SMALLEST_GROUP, Groups

NOT_YET = (
    "the values are drafts until publication: whoever notes this before and after one more result would have that "
    "one's; until then it is for managers, assessors and coaches"
)
_NAMED = 4
# Which groups come first: those that most people ask for.
_ORDER = ("kind:", "cohort:", "province:", "parent:", "cluster:")


@dataclass(frozen=True)
class Apart:
    """The bodies of a group, the parts that its statistics set apart, and why they are withheld, if they are."""

    inside: frozenset[str]
    parts: tuple[frozenset[str], ...] = ()
    reason: str = ""


def apart(
    group: str, groups: Groups, bodies: Collection[str], *, published: bool = False, drafts: bool = True
) -> Apart:
    """What the statistics of one group would set apart, beside those of every group before it; nothing has to be kept
    apart once the values are published. Before that, who may not see drafts (`drafts`) is shown nothing."""
    everybody = frozenset(bodies)
    inside = _inside(group, groups, everybody)
    if published:
        return Apart(inside)
    if not drafts:
        return Apart(inside, reason=NOT_YET)
    if len(inside) < SMALLEST_GROUP:
        return Apart(inside, reason=too_small(len(inside)))
    parts: tuple[frozenset[str], ...] = (everybody,)
    shown = [NATION]
    for name in _before(group, groups):
        cut = _cut(parts, _inside(name, groups, everybody))
        if min(map(len, cut)) >= SMALLEST_GROUP:
            if len(cut) > len(parts):
                shown.append(name)
            parts = cut
    cut = _cut(parts, inside)
    smallest = min(map(len, cut))
    if smallest < SMALLEST_GROUP:
        others = ", ".join(shown[:_NAMED]) + (" and others" if len(shown) > _NAMED else "")
        reason = f"beside what is shown of {others} it would set {smallest} apart; at least {SMALLEST_GROUP} are needed"
        return Apart(inside, reason=reason)
    return Apart(inside, tuple(part for part in cut if part <= inside or part not in parts))


def too_small(count: int) -> str:
    """Why a small group has no statistics."""
    return f"a group of {count} would show what single bodies have; at least {SMALLEST_GROUP} are needed"


def hidden(
    instrument: Instrument, parts: Iterable[Collection[str]], values: Mapping[str, Sequence[NodeValue]]
) -> tuple[list[Node], set[int]]:
    """Headings whose nodes are not shown, since a part has one of them at an end of the scale and so shows each one's;
    and the places of all nodes below them. All nodes of a heading go together: one alone follows from the others."""
    nodes = list(instrument.root.below())
    place = {id(node): at for at, node in enumerate(nodes)}
    ends = {written(instrument.minimum), written(instrument.maximum)}
    telling = {
        at
        for part in parts
        for at in range(len(nodes))
        if written(mean(values[code][at].value for code in part)) in ends
    }
    headings: list[Node] = []
    below: set[int] = set()
    for at, node in enumerate(nodes):
        if at not in below and any(place[id(child)] in telling for child in node.children):
            headings.append(node)
            below |= {place[id(inner)] for inner in node.below()} - {at}
    return headings, below


def _before(group: str, groups: Groups) -> list[str]:
    """Every group that comes before this one."""
    names = sorted((n for n in groups.names() if n.startswith(_ORDER)), key=_rank)
    return names[: names.index(group)] if group in names else []


def _rank(name: str) -> tuple[int, str]:
    return next(at for at, start in enumerate(_ORDER) if name.startswith(start)), name


def _inside(group: str, groups: Groups, bodies: frozenset[str]) -> frozenset[str]:
    members = groups.members(group)
    return bodies if members is None else bodies & members


def _cut(parts: Iterable[frozenset[str]], members: frozenset[str]) -> tuple[frozenset[str], ...]:
    """Each part in two, where only some of it are members."""
    return tuple(piece for part in parts for piece in (part & members, part - members) if piece)
