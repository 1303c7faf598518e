"""Races and groups as people call them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livinglab.benchmark.v1 import service_pb2 as pb


def group_words(group: str) -> str:
    """A group as people call it: the nation, Jawa Barat, kota, cohort living-lab-2022."""
    from directory import official_regions

    sort, _, name = group.partition(":")
    if sort == "province" and name in official_regions():
        return official_regions()[name].name
    return {"": "the nation", "nation": "the nation", "kind": f"all {name}"}.get(sort, f"{sort} {name}")


def race_words(race: "pb.Race") -> str:
    """What is compared with what, without the group and the period."""
    return f"{race.instrument}, {race.stage or 'self-assessment'}"
