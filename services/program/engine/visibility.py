"""Registers our search attributes with a Temporal server; must happen before the first workflow that uses them."""

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from chassis import telemetry
from services.program.engine.search_attributes import KEYS

NAMES = tuple(key.name for key in KEYS)
# A namespace on an SQL store takes no more of this type; ours are four of them.
MOST_KEYWORDS = 10
# How long Temporal shows what has ended; what a cohort came to is kept by program.
_RETENTION_SECONDS = 30 * 86_400


class NotRegistered(Exception):
    """The server does not know our search attributes yet, and does not let us add them."""


async def register_search_attributes(client: Client) -> None:
    """Adds those that are missing; harmless when done again or by two at once. NotRegistered where the server refuses
    or has not taken them over yet."""
    missing, keywords = await _missing(client)
    if not missing:
        return
    full = ""
    if keywords + len(missing) > MOST_KEYWORDS:
        full = (
            f"the namespace has {keywords} keyword attributes already, takes {MOST_KEYWORDS}, and we need"
            f" {len(missing)} more: give the program a namespace of its own"
        )
    try:
        await client.operator_service.add_search_attributes(addition(client.namespace, missing))
        still, _ = await _missing(client)
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return
        raise _not_registered(missing, client.namespace, full or str(error)) from error
    if still:
        raise _not_registered(still, client.namespace, "it has not taken them over yet")


def addition(namespace: str, names: Iterable[str]) -> AddSearchAttributesRequest:
    """Asks a server to take search attributes, each of them a keyword."""
    kinds = dict.fromkeys(names, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
    return AddSearchAttributesRequest(namespace=namespace, search_attributes=kinds)


async def ensure_namespace(client: Client) -> None:
    """Makes the client's namespace where the server has none of that name; harmless when done again or by two at once.
    NotRegistered where the server does not let us."""
    ours = client.namespace
    try:
        try:
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=ours))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            kept = Duration(seconds=_RETENTION_SECONDS)
            await client.workflow_service.register_namespace(
                RegisterNamespaceRequest(namespace=ours, workflow_execution_retention_period=kept)
            )
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            command = f"temporal operator namespace create --namespace {ours} --retention 30d"
            telemetry.log.warning("the namespace is missing; an operator can make it", command=command)
            raise NotRegistered(str(error)) from error


async def _missing(client: Client) -> tuple[list[str], int]:
    """Those of ours that the server does not know, and how many keywords the namespace has already."""
    try:
        request = ListSearchAttributesRequest(namespace=client.namespace)
        known = await client.operator_service.list_search_attributes(request)
    except RPCError as error:
        raise _not_registered(NAMES, client.namespace, str(error)) from error
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    taken = sum(kind == keyword for kind in known.custom_attributes.values())
    return [name for name in NAMES if name not in known.custom_attributes], taken


def _not_registered(names: Iterable[str], namespace: str, because: str) -> NotRegistered:
    options = " ".join(f"--name {name} --type Keyword" for name in names)
    command = f"temporal operator search-attribute create --namespace {namespace} {options}"
    telemetry.log.warning("search attributes are missing; an operator can add them", command=command)
    return NotRegistered(because)
