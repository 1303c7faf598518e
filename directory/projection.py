"""A service's copy of the institutions that program has registered: a collection of its own, and all of it in memory.
Each replica follows the collection by a change stream, so all of them know a new institution within milliseconds,
whichever has heard the fact, and no lookup asks the database."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from livinglab.common.v1 import options_pb2
from livinglab.program.v1.directory_events_pb2 import InstitutionRegistered
from pymongo import IndexModel, UpdateOne

from chassis import auth, mongo
from chassis.changes import Changes, keep_following
from chassis.errors import Kind, Refused, Violation, invalid
from directory import Institution, codes
from directory.known import Directory

COLLECTION = "institutions"
_LATE_SECONDS = 0.5
_PATIENT_SECONDS = 2.0


class Institutions:
    """The collection, and `known`: the official regions with what is in it."""

    def __init__(self, db: mongo.Database) -> None:
        self._db = db
        self._rows = db[COLLECTION]
        self.known = Directory()

    async def prepare(self, indexes: Sequence[IndexModel] = ()) -> None:
        """Collection and first reading; once at start-up."""
        await self._db.prepare({COLLECTION: indexes})
        await self._read(None)

    async def keep(self, tx: mongo.Tx, event: InstitutionRegistered) -> None:
        """The reaction to the fact."""
        await self._rows.bulk_write([_unless_newer(row_of(registered(event)))], session=tx.session)

    async def fill(self, events: Iterable[InstitutionRegistered]) -> None:
        """Many facts read again from the stream, in any order; this process knows them when it returns."""
        found = [registered(event) for event in events]
        if found:
            await self._rows.bulk_write([_unless_newer(row_of(one)) for one in found])
            self.known.learn(found)

    async def follow(self) -> None:
        """Keeps `known` as the collection is, until cancelled."""
        await keep_following("institutions", self._follow)

    async def _follow(self) -> None:
        async with await self._db.client.start_session() as session:
            keys: list[dict[str, Any]] = [{"$project": {"documentKey": 1}}]
            stream = await Changes.open(self._db, session, keys, collection=COLLECTION)
            await self._read(session)
            while True:
                changed = [change["documentKey"]["_id"] for change in await stream.next() if "documentKey" in change]
                if changed:
                    await self._read(session, changed)

    async def _read(self, session: Any, changed: Sequence[str] | None = None) -> None:
        query = {} if changed is None else {"_id": {"$in": changed}}
        self.known.learn([institution_of(row) for row in await self._rows.find(query, session=session).to_list(None)])


def require_heard(known: Container[str], *named: str) -> None:
    """ABORTED for another process of ours that names an institution which is not known here: program has it in its
    directory, or it would not ask, so the fact is on its way. People are told by INVALID_ARGUMENT instead."""
    if auth.caller().role != options_pb2.ROLE_SYSTEM:
        return
    for code in named:
        if code not in known:
            message = f"the registration of institution {code} has not arrived here yet: try again"
            raise Refused(Kind.ABORTED, "INSTITUTION_NOT_HEARD", message, retry_seconds=_LATE_SECONDS)


async def require_known(known: Directory, fields: Mapping[str, str]) -> None:
    """INVALID_ARGUMENT, by field, for codes that no institution has, each with the one that may be meant. Who registers
    an institution and names it right after waits a moment."""
    await known.heard_of(set(fields.values()), _PATIENT_SECONDS)
    strangers = [Violation(field, codes.unknown(code, known)) for field, code in fields.items() if code not in known]
    if strangers:
        raise invalid(strangers)


def row_of(one: Institution) -> dict[str, Any]:
    """The document that holds an institution."""
    return {"_id": one.code, "name": one.name, "kind": one.kind, "parent": one.parent, "version": one.version} | (
        {"withdrawn": one.withdrawn} if one.withdrawn else {}
    )


def institution_of(row: dict[str, Any]) -> Institution:
    """The institution that a document holds."""
    return Institution(row["_id"], row["name"], row["kind"], row["parent"], row["version"], row.get("withdrawn", ""))


def registered(event: InstitutionRegistered) -> Institution:
    """The institution that a fact tells of."""
    return Institution(event.code, event.name, event.kind, event.parent, event.meta.version, event.withdrawn)


def _unless_newer(row: dict[str, Any]) -> UpdateOne:
    """Replaces a document unless the one that is there is newer."""
    newer = {"$gt": [{"$ifNull": ["$version", 0]}, row["version"]]}
    replaced = {"$replaceWith": {"$cond": [newer, "$$ROOT", {"$literal": row}]}}
    return UpdateOne({"_id": row["_id"]}, [replaced], upsert=True)
