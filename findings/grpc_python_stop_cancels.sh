#!/usr/bin/env bash
# grpcio (asyncio): Server.stop(grace) ends calls that reach the server as it stops with CANCELLED at once, however long
# the grace and however short the call: no code that a retry policy names by habit, and the same that a caller's own
# cancellation has. One would expect UNAVAILABLE, or the answer. A retry policy with CANCELLED in it loses none of them.
# Exits with 0 while both are so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install grpcio==1.85.1
cat > "$folder/stop.py" <<'PY'
import asyncio
import json
import sys
from collections import Counter

import grpc
import grpc.aio

ROUNDS, CALLERS = 8, 32


async def answer(request, context):
    await asyncio.sleep(0.002)
    return b"ok"


def server(port=0):
    made = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers = {"Ask": grpc.unary_unary_rpc_method_handler(answer)}
    made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("x.X", handlers),))
    return made, made.add_insecure_port(f"127.0.0.1:{port}")


async def ended(codes):
    """How calls ended while one of two servers at a time was stopped with a grace of ten seconds and replaced."""
    servers = [server(), server()]
    for made, _ in servers:
        await made.start()
    policy = {"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 3}
    config = {"methodConfig": [{"name": [{}], "retryPolicy": policy | {"retryableStatusCodes": codes}}],
              "loadBalancingConfig": [{"round_robin": {}}]}
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for _, port in servers)
    options = [("grpc.service_config", json.dumps(config)), ("grpc.initial_reconnect_backoff_ms", 100)]
    found, enough = Counter(), asyncio.Event()
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        ask = channel.unary_unary("/x.X/Ask")

        async def caller():
            while not enough.is_set():
                try:
                    await ask(b"", timeout=10)
                    found["OK"] += 1
                except grpc.aio.AioRpcError as error:
                    found[error.code().name] += 1

        callers = [asyncio.create_task(caller()) for _ in range(CALLERS)]
        for n in range(ROUNDS):
            before = found.total()
            while found.total() < before + 500:
                await asyncio.sleep(0.01)
            stopped, port = servers[n % 2]
            await stopped.stop(10)
            servers[n % 2] = server(port)
            await servers[n % 2][0].start()
        enough.set()
        await asyncio.gather(*callers)
    for made, _ in servers:
        await made.stop(0)
    return found


async def main():
    print("grpcio", grpc.__version__)
    usual, both = await ended(["UNAVAILABLE"]), await ended(["UNAVAILABLE", "CANCELLED"])
    print("retried: UNAVAILABLE           ", dict(usual))
    print("retried: UNAVAILABLE, CANCELLED", dict(both))
    return 0 if usual["CANCELLED"] and set(both) == {"OK"} else 1


sys.exit(asyncio.run(main()))
PY
"$folder/venv/bin/python" "$folder/stop.py"
