"""What comes before what: circles, and the days by which a chain can be done."""

from collections.abc import Iterator, Mapping, Sequence


def circles(before: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Each circle once, as a way that ends where it begins; `before` says what each comes after."""
    state: dict[str, int] = {}
    for start in before:
        if start in state:
            continue
        # A stack of its own: a long chain must not be deeper than calls may be.
        way, open_ways = [start], [iter(before[start])]
        state[start] = 1
        while way:
            following = next(open_ways[-1], None)
            if following is None:
                state[way.pop()] = 2
                open_ways.pop()
            elif following in before and following not in state:
                state[following] = 1
                way.append(following)
                open_ways.append(iter(before[following]))
            elif state.get(following) == 1:
                yield [*way[way.index(following) :], following]
