"""Institutions as a command knows them: the official regions, and what the platform's directory has besides."""

import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from directory import Institution, official_regions

if TYPE_CHECKING:
    from livinglab.program.v1 import directory_service_pb2 as pb


class KnownInstitutions(Mapping[str, Institution]):
    """By code. The platform is asked once, and only for a code that is no official region: files that name none are
    checked without any server."""

    def __init__(self) -> None:
        self._registered: dict[str, Institution] | None = None

    def __getitem__(self, code: str) -> Institution:
        region = official_regions().get(code)
        return region if region else self._asked()[code]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._asked(), **official_regions()})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _asked(self) -> dict[str, Institution]:
        if self._registered is None:
            self._registered = _registered()
        return self._registered


@cache
def known_institutions() -> KnownInstitutions:
    """Of this command."""
    return KnownInstitutions()


def name_of(code: str) -> str:
    """The name of an institution, with its code where nobody knows it: Kabupaten Sumedang."""
    found = known_institutions().get(code) if code else None
    return found.name if found else code


def names_of(codes: Collection[str]) -> dict[str, str]:
    """The names of those of the codes that are known."""
    known = known_institutions()
    return {code: known[code].name for code in codes if code in known}


def _registered() -> dict[str, Institution]:
    """All of the platform's; without one that answers there are none, and a line on stderr says so."""
    import typer

    from cli.speak.connection import run

    try:
        found = run(listed())
    except typer.Exit:
        sys.stderr.write("no directory can be asked: only the official regions are known\n")
        return {}
    return {one.code: Institution(one.code, one.name, one.kind, one.parent, one.version) for one in found}


async def listed(kind: str = "", parent: str = "") -> "list[pb.Institution]":
    """Every institution of the platform's directory, or those of a kind or parent."""
    from livinglab.program.v1 import directory_service_pb2 as pb
    from livinglab.program.v1.directory_service_pb2_grpc import DirectoryServiceStub

    from cli.speak.connection import connected, every_page

    async with connected("program", DirectoryServiceStub) as stub:

        async def page(token: str) -> pb.ListInstitutionsResponse:
            return await stub.ListInstitutions(
                pb.ListInstitutionsRequest(kind=kind, parent=parent, page_size=1000, page_token=token)
            )

        return await every_page(page, lambda found: found.institutions)
