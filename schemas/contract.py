"""The contract as the protos say it, comments included: every fact, what is in it, who may hear it."""

import importlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc
from livinglab.common.v1 import options_pb2

from chassis import naming

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "protos"
# Of FileDescriptorProto and DescriptorProto, by which source information names its places.
_MESSAGES, _FIELDS = 4, 2
_SERVICES, _METHODS = 6, 2


@dataclass(frozen=True)
class Fact:
    """One kind of event. `meaning` is its comment in one line, `comments` those of its fields."""

    descriptor: Descriptor
    meaning: str
    comments: Mapping[str, str]

    @property
    def type(self) -> str:
        """Full name, as ce-type has it."""
        return str(self.descriptor.full_name)

    @property
    def name(self) -> str:
        """Last part of it."""
        return str(self.descriptor.name)

    @property
    def service(self) -> str:
        """Who publishes it."""
        return naming.owner(GetMessageClass(self.descriptor))

    @cached_property
    def options(self) -> options_pb2.Event:
        """As the proto declares it."""
        return self.descriptor.GetOptions().Extensions[options_pb2.event]

    @property
    def address(self) -> str:
        """Its subject, with the fields that end it in braces."""
        prefix = naming.subject_filter(GetMessageClass(self.descriptor)).removesuffix(".>")
        return ".".join((prefix, *(f"{{{field}}}" for field in self.options.subject)))

    @property
    def audience(self) -> str:
        """Who outside may hear it: `public`, `institution`, or `platform` for those whom the platform lets hear all."""
        named = options_pb2.Audience.Name(self.options.audience).removeprefix("AUDIENCE_").lower()
        return "platform" if named == "unspecified" else named


@cache
def facts() -> Sequence[Fact]:
    """All of them, by service and in the order of the files."""
    return tuple(fact for file in _files() for fact in _facts(file))


def _facts(file: FileDescriptorProto) -> Iterator[Fact]:
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    module = importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    for i, message in enumerate(file.message_type):
        descriptor = module.DESCRIPTOR.message_types_by_name[message.name]
        if naming.is_event(descriptor):
            yield Fact(descriptor, _line(comments.get((_MESSAGES, i), "")), _of_fields(message, i, comments))


def _of_fields(message: DescriptorProto, i: int, comments: Mapping[tuple[int, ...], str]) -> Mapping[str, str]:
    return {field.name: _line(comments.get((_MESSAGES, i, _FIELDS, j), "")) for j, field in enumerate(message.field)}


def _line(comment: str) -> str:
    return " ".join(comment.split())


def _files() -> list[FileDescriptorProto]:
    """With their comments, which the generated code does not keep."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract.binpb"
        compiled(f"--descriptor_set_out={out}", "--include_source_info")
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def proto_files() -> list[str]:
    """From the folder of the protos, in their order."""
    return sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))


def compiled(*options: str) -> None:
    """Runs protoc over all of them, with these options; ValueError where they do not compile."""
    google = f"-I{Path(protoc.__file__).with_name('_proto')}"
    if protoc.main(["protoc", f"-I{PROTOS}", google, *options, *proto_files()]) != 0:
        raise ValueError("the protos do not compile")


def comments() -> dict[str, str]:
    """What the protos say of methods, messages and fields, in one line each, by full names."""
    found: dict[str, str] = {}
    for file in _files():
        said = {tuple(place.path): _line(place.leading_comments) for place in file.source_code_info.location}
        for i, message in enumerate(file.message_type):
            found[f"{file.package}.{message.name}"] = said.get((_MESSAGES, i), "")
            for j, field in enumerate(message.field):
                found[f"{file.package}.{message.name}.{field.name}"] = said.get((_MESSAGES, i, _FIELDS, j), "")
        for i, service in enumerate(file.service):
            for j, method in enumerate(service.method):
                found[f"{file.package}.{service.name}.{method.name}"] = said.get((_SERVICES, i, _METHODS, j), "")
    return found


def closure(descriptor: Descriptor) -> list[Descriptor | EnumDescriptor]:
    """The message, then every other of ours that it needs, each once."""
    found: dict[str, Descriptor | EnumDescriptor] = {}

    def visit(one: Descriptor) -> None:
        if one.full_name in found or not one.full_name.startswith("livinglab."):
            return
        if not one.GetOptions().map_entry:
            found[one.full_name] = one
        for field in one.fields:
            if field.message_type is not None:
                visit(field.message_type)
            elif field.enum_type is not None:
                found[field.enum_type.full_name] = field.enum_type

    visit(descriptor)
    return list(found.values())


def is_map(field: Any) -> bool:
    """Whether the field maps keys to values."""
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)
