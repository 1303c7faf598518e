"""The contract as the next release may have it: a field, a list and a map more in every message, one value more in
every enum, and a fact that nobody knew.

`build` makes the code of it; a process that has its folder first on PYTHONPATH speaks it. Run as a module in such a
process, this file says and checks messages of the next release, for one that speaks ours: see tests/unit.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

ROOT = Path(__file__).resolve().parents[3]
ADDED_FIELD, ADDED_LIST, ADDED_MAP = "added_later", "added_list", "added_map"
_FIELDS = f"""
  string {ADDED_FIELD} = 15000;
  repeated string {ADDED_LIST} = 15001;
  map<string, string> {ADDED_MAP} = 15002;
"""
# Told by coaching with each attendance; notify listens to it and counts how often it heard each, in a collection.
ADDED_FACT, HEARD = "livinglab.coaching.v1.AddedFact", "added_facts"
_FACT = """
// Somebody came, as the next release tells it.
message AddedFact {
  option (livinglab.common.v1.event) = {subject: ["institution"] key: "a seat at a session"};
  livinglab.common.v1.Meta meta = 1;
  string institution = 2;
}
"""
# Of every enum.
ADDED_VALUE = 90
# What processes of the next release say in the new field.
SAID = "said by the next release"
_DEEPEST = 5
_MESSAGE = re.compile(r"(message \w+ \{)")
_ENUM = re.compile(r"(enum (\w+) \{[^}]*)\}")


def build(folder: Path, *, says: bool = False) -> Path:
    """Where its generated code is; takes some seconds. Where it `says` so, a process of it says the new fields in all
    that it hands to Temporal and in all its facts, and tells the new fact or listens to it."""
    protos, gen = folder / "protos", folder / "gen"
    shutil.copytree(ROOT / "protos", protos)
    gen.mkdir()
    files = sorted(protos.rglob("*.proto"))
    for file in files:
        more = _FACT if str(file.relative_to(protos)) == "livinglab/coaching/v1/events.proto" else ""
        text = _MESSAGE.sub(rf"\1{_FIELDS}", file.read_text() + more)
        file.write_text(_ENUM.sub(rf"\1  ADDED_LATER_\2 = {ADDED_VALUE};\n}}", text))
    outputs = [f"--python_out={gen}", f"--grpc_python_out={gen}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}", *outputs, *map(str, files)]
    subprocess.run(command, check=True, capture_output=True)
    if says:
        (gen / "sitecustomize.py").write_text("from tests.harness.generated import newer\nnewer.say()\n")
    return gen


def say() -> None:
    """In this process the new fields are said from here on, and the new fact is told and heard."""
    from temporalio.converter import BinaryProtoPayloadConverter

    from chassis.mongo import Tx

    plain, add = BinaryProtoPayloadConverter.to_payload, Tx.add

    def to_payload(self: Any, value: Any) -> Any:
        return plain(self, _said(value) if isinstance(value, Message) else value)

    def add_said(self: Tx, event: Any) -> None:
        _say_in(event)
        add(self, event)
        if event.DESCRIPTOR.full_name == "livinglab.coaching.v1.AttendanceRecorded":
            add(self, _added_fact(event))

    _listen()
    BinaryProtoPayloadConverter.to_payload = to_payload  # type: ignore[method-assign]
    Tx.add = add_said  # type: ignore[method-assign]


def _listen() -> None:
    from chassis.events import stream

    plain = stream.Consumer.__init__

    def listening(self: Any, db: Any, nc: Any, name: str, reactions: Any, replicas: int = 1) -> None:
        async def heard(tx: Any, event: Any) -> None:
            more = {"$inc": {"times": 1}}
            await db[HEARD].update_one({"_id": event.meta.event_id}, more, upsert=True, session=tx.session)

        more = [stream.Reaction(_class_of(ADDED_FACT), heard)] if name == "notify" else []
        plain(self, db, nc, name, [*reactions, *more], replicas)

    stream.Consumer.__init__ = listening  # type: ignore[method-assign]


def _added_fact(told: Any) -> Any:
    fact: Any = _class_of(ADDED_FACT)(institution=told.institution)
    fact.meta.CopyFrom(told.meta)
    fact.meta.aggregate_id, fact.meta.version = f"added:{told.meta.event_id}", 1
    return fact


def _class_of(full_name: str) -> Any:
    import importlib

    from google.protobuf import descriptor_pool, message_factory

    importlib.import_module("livinglab.coaching.v1.events_pb2")
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(full_name))


def _said(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    _say_in(copy)
    return copy


def _say_in(message: Any) -> None:
    if is_next_release(message.DESCRIPTOR):
        setattr(message, ADDED_FIELD, SAID)
        getattr(message, ADDED_LIST)[:] = [SAID]
        getattr(message, ADDED_MAP)["said"] = SAID
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            held = field.message_type.fields_by_name["value"].message_type is not None
            inner = list(value.values()) if held else []
        else:
            inner = value if field.is_repeated else [value]
        for one in inner:
            _say_in(one)


def environment(gen: Path) -> Mapping[str, str]:
    """For a process of the next release."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(gen), str(ROOT)])}


def ask(gen: Path, question: Mapping[str, Any]) -> Any:
    """What a process of the next release answers; see `_answer`."""
    command = [sys.executable, "-m", "tests.harness.generated.newer"]
    given = json.dumps(question)
    ran = subprocess.run(
        command, input=given, env=environment(gen), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def _answer(question: Mapping[str, Any]) -> Any:
    """`{"say": [type, ...]}`: a payload of each type, everything in it filled and every enum at its new value.
    `{"check": {type: payload, ...}}`: those types whose payload is not what was said."""
    if "say" in question:
        return {name: as_text(filled(name)) for name in question["say"]}
    expected = {name: filled(name) for name in question["check"]}
    return [name for name, text in question["check"].items() if from_text(text) != expected[name]]


def as_text(message: Message) -> str:
    """As a payload of Temporal, in base64."""
    from chassis.temporal import payloads

    payload = payloads.CONVERTER.payload_converter.to_payload(message)
    return base64.b64encode(payload.SerializeToString()).decode()


def from_text(text: str, expected: Any = None) -> Any:
    """The message that such a payload holds, as the handler that expects that type is given it."""
    from temporalio.api.common.v1 import Payload

    from chassis.temporal import payloads

    payload = Payload.FromString(base64.b64decode(text))
    return payloads.CONVERTER.payload_converter.from_payload(payload, expected)


def filled(full_name: str) -> Message:
    """A message of that type."""
    import importlib

    from google.protobuf import descriptor_pool, message_factory

    for file in sorted((ROOT / "protos").rglob("*.proto")):
        name = str(file.relative_to(ROOT / "protos")).removesuffix(".proto").replace("/", ".")
        importlib.import_module(f"{name}_pb2")
    descriptor = descriptor_pool.Default().FindMessageTypeByName(full_name)
    return _filled(message_factory.GetMessageClass(descriptor), 0)


def _filled(kind: type[Message], depth: int) -> Message:
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if field.message_type is None:
            value = _scalar(field)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
        elif depth < _DEEPEST:
            _fill_in(message, field, depth)
    return message


def _fill_in(message: Message, field: Any, depth: int) -> None:
    from google.protobuf import message_factory

    described: Any = field.message_type
    held = getattr(message, field.name)
    if described.GetOptions().map_entry:
        key, value = (described.fields_by_name[name] for name in ("key", "value"))
        if value.message_type is None:
            held[_scalar(key)] = _scalar(value)
        else:
            held[_scalar(key)].CopyFrom(_filled(message_factory.GetMessageClass(value.message_type), depth + 1))
        return
    one = _filled(message_factory.GetMessageClass(described), depth + 1)
    if field.is_repeated:
        held.append(one)
    else:
        held.CopyFrom(one)


def _scalar(field: Any) -> Any:
    if field.enum_type is not None:
        return ADDED_VALUE
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return b"new" if field.type == FieldDescriptor.TYPE_BYTES else f"new {field.name}"
    return field.cpp_type == FieldDescriptor.CPPTYPE_BOOL or 7


def is_next_release(descriptor: Any) -> bool:
    """Whether this process speaks it."""
    return ADDED_FIELD in descriptor.fields_by_name


if __name__ == "__main__":
    print(json.dumps(_answer(json.loads(sys.stdin.read()))))  # noqa: T201
