"""Participants on DBOS, a workflow each, as the rivals' own Python runs them: it has no module of ours.

Reads a command a line and answers each with a line of JSON: `launch COHORT COUNT` (seconds until all have begun),
`fact COHORT PLACE NAME` (seconds from the owner's call until the workflow has it), `memory` (MiB).
"""

import asyncio
import json
import sys
import time

import psycopg
from dbos import DBOS, SetWorkflowID

_CONNECTIONS = 8
_FOREVER = 10**8
_TABLES = """
create table if not exists documents (id text primary key, body jsonb not null);
create table if not exists outbox (id bigserial primary key, about text not null, payload jsonb not null);
create table if not exists inbox (id text primary key);
"""
_pool: "asyncio.Queue[psycopg.AsyncConnection]"
_heard: dict[str, asyncio.Event] = {}


async def _write(key: str) -> None:
    """A document, the outbox row of its fact and the inbox row that keeps it from happening twice: all or nothing."""
    connection = await _pool.get()
    try:
        async with connection.transaction():
            new = await connection.execute("insert into inbox values (%s) on conflict do nothing", (key,))
            if new.rowcount:
                body = json.dumps({"key": key, "state": "open"})
                await connection.execute("insert into documents values (%s, %s) on conflict do nothing", (key, body))
                await connection.execute("insert into outbox (about, payload) values (%s, %s)", (key, body))
    finally:
        _pool.put_nowait(connection)


@DBOS.step()
async def open_evaluation(name: str) -> None:
    await _write(f"evaluation:{name}")


@DBOS.step()
async def invite(name: str) -> None:
    await _write(f"invitation:{name}")


@DBOS.workflow()
async def participant(name: str) -> None:
    await open_evaluation(name)
    await invite(name)
    while (fact := await DBOS.recv_async("facts", timeout_seconds=_FOREVER)) != "over":
        if event := _heard.get(f"{name}:{fact}"):
            event.set()


async def launch(cohort: str, count: int) -> float:
    started = time.perf_counter()
    for place in range(count):
        with SetWorkflowID(f"{cohort}/{place}"):
            await DBOS.start_workflow_async(participant, f"{cohort}/{place}")
    connection = await _pool.get()
    while True:
        found = await connection.execute("select count(*) from documents where id like %s", (f"invitation:{cohort}/%",))
        row = await found.fetchone()
        if row and row[0] >= count:
            break
        await asyncio.sleep(0.02)
    _pool.put_nowait(connection)
    return time.perf_counter() - started


async def fact(cohort: str, place: str, name: str) -> float:
    """The owner writes what happened, then the workflow is told."""
    key = f"{cohort}/{place}:{name}"
    _heard[key] = asyncio.Event()
    started = time.perf_counter()
    await _write(f"signed:{key}")
    await DBOS.send_async(f"{cohort}/{place}", name, topic="facts", idempotency_key=key)
    await _heard[key].wait()
    del _heard[key]
    return time.perf_counter() - started


def memory() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


async def main(address: str) -> None:
    global _pool
    _pool = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        _pool.put_nowait(await psycopg.AsyncConnection.connect(address, autocommit=True))
    connection = await _pool.get()
    await connection.execute(_TABLES)
    _pool.put_nowait(connection)
    DBOS(config={"name": "rival", "system_database_url": address, "log_level": "ERROR", "application_version": "1"})
    DBOS.launch()
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *arguments = line.split()
        if command == "launch":
            answer = await launch(arguments[0], int(arguments[1]))
        elif command == "fact":
            answer = await fact(*arguments)
        else:
            answer = memory()
        print(json.dumps(answer), flush=True)
    DBOS.destroy()


asyncio.run(main(sys.argv[1]))
