"""Whose inbox a message is in. Pure."""

from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import service_pb2 as pb

from programs.rules.shapes import OF_INSTITUTION

_OF_THEMSELVES = frozenset({options_pb2.ROLE_ASSESSOR, options_pb2.ROLE_COACH})


def seat(role: int, institution: str, subject: str) -> str:
    """Of a role in an institution, of somebody by themselves, or that of the managers; empty for nobody's."""
    if role in OF_INSTITUTION and institution:
        return f"{_name(role)}@{institution}"
    if role in _OF_THEMSELVES and subject:
        return f"{_name(role)}:{subject}"
    return "manager" if role == options_pb2.ROLE_MANAGER else ""


def of(recipient: pb.Recipient) -> str:
    """Whose inbox what is written to them is in."""
    return seat(recipient.role, recipient.institution, recipient.subject)


def _name(role: int) -> str:
    return options_pb2.Role.Name(options_pb2.Role.ValueType(role)).removeprefix("ROLE_").lower()
