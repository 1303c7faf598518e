"""Registers our search attributes with a Temporal server; must happen before the first workflow that uses them."""

from collections.abc import Iterable

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from chassis import telemetry
from services.program.engine.search_attributes import KEYS

NAMES = tuple(key.name for key in KEYS)


class NotRegistered(Exception):
    """The server does not know our search attributes yet, and does not let us add them."""


async def register_search_attributes(client: Client) -> None:
    """Adds those that are missing; harmless when done again or by two at once. NotRegistered where the server refuses
    or has not taken them over yet."""
    missing = await _missing(client)
    if not missing:
        return
    try:
        await client.operator_service.add_search_attributes(addition(client.namespace, missing))
        still = await _missing(client)
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return
        raise _not_registered(missing, client.namespace, str(error)) from error
    if still:
        raise _not_registered(still, client.namespace, "it has not taken them over yet")


def addition(namespace: str, names: Iterable[str]) -> AddSearchAttributesRequest:
    """Asks a server to take search attributes, each of them a keyword."""
    kinds = dict.fromkeys(names, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
    return AddSearchAttributesRequest(namespace=namespace, search_attributes=kinds)


async def _missing(client: Client) -> list[str]:
    try:
        request = ListSearchAttributesRequest(namespace=client.namespace)
        known = await client.operator_service.list_search_attributes(request)
    except RPCError as error:
        raise _not_registered(NAMES, client.namespace, str(error)) from error
    return [name for name in NAMES if name not in known.custom_attributes]


def _not_registered(names: Iterable[str], namespace: str, because: str) -> NotRegistered:
    options = " ".join(f"--name {name} --type Keyword" for name in names)
    command = f"temporal operator search-attribute create --namespace {namespace} {options}"
    telemetry.log.warning("search attributes are missing; an operator can add them", command=command)
    return NotRegistered(because)
