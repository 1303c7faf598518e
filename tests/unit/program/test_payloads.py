"""A build and the next one understand each other in everything that travels through Temporal: what the older one does
not know it keeps. Made from what is registered, so that a new signal or activity is tried without a word here."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from temporalio import activity, workflow

from services.program.activities.all import Activities
from services.program.activities.recurring import RecurringActivities
from services.program.workflows.registered import OF_COHORTS, OF_SCHEDULES, WORKFLOWS
from tests.harness.generated import newer


def travelling() -> Iterator[tuple[str, type[Message]]]:
    """What it is part of, and its type: starts, results, signals, updates, queries, activities and their answers."""
    for kind in WORKFLOWS:
        definition = workflow._Definition.must_from_class(kind)
        yield from _of(f"start of {definition.name}", definition.run_fn)
        handlers: dict[Any, Any] = {**definition.signals, **definition.queries, **definition.updates}
        for name, handler in handlers.items():
            yield from _of(f"{name} of {definition.name}", handler.fn)
    for method in (*OF_COHORTS, *OF_SCHEDULES):
        yield from _of(f"activity {method.__name__}", method)


def _of(what: str, function: typing.Callable[..., object]) -> Iterator[tuple[str, type[Message]]]:
    for name, kind in typing.get_type_hints(function).items():
        if kind is not type(None):
            yield f"{name} of {what}", kind


TRAVELLING = dict(travelling())


@pytest.fixture(scope="module")
def gen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return newer.build(tmp_path_factory.mktemp("newer"))


@pytest.fixture(scope="module")
def said(gen: Path) -> dict[str, str]:
    """By the next release: a payload of each type."""
    told: dict[str, str] = newer.ask(gen, {"say": sorted({kind.DESCRIPTOR.full_name for kind in TRAVELLING.values()})})
    return told


@pytest.fixture(scope="module")
def passed_on(said: dict[str, str]) -> dict[str, str]:
    """By ours: read, copied as the workflows do, and written again."""
    heard = {name: newer.from_text(text) for name, text in said.items()}
    return {name: newer.as_text(_copied(message)) for name, message in heard.items()}


def _copied(message: Message) -> Message:
    copy = type(message)()
    copy.MergeFrom(message)
    again = type(message)()
    again.CopyFrom(copy)
    return again


def test_every_kind_of_handler_is_found() -> None:
    kinds = {what.split(" of ", 1)[1].split()[0] for what in TRAVELLING}
    assert {"start", "activity", "steer", "progress", "reported", "phase_opened", "taken_in"} <= kinds
    assert all(issubclass(kind, Message) for kind in TRAVELLING.values()), TRAVELLING


@pytest.mark.parametrize("what", TRAVELLING)
def test_what_the_next_release_says_is_heard_and_nothing_of_it_is_lost(
    what: str, said: dict[str, str], passed_on: dict[str, str]
) -> None:
    name = TRAVELLING[what].DESCRIPTOR.full_name
    heard = newer.from_text(said[name], TRAVELLING[what])
    assert isinstance(heard, TRAVELLING[what])
    assert not newer.is_next_release(heard.DESCRIPTOR)
    assert newer.from_text(passed_on[name]).SerializeToString(deterministic=True) == heard.SerializeToString(
        deterministic=True
    )


def test_the_next_release_finds_everything_that_it_said(gen: Path, passed_on: dict[str, str]) -> None:
    assert newer.ask(gen, {"check": passed_on}) == []


def test_the_next_release_hears_what_ours_says(gen: Path) -> None:
    plain = {kind.DESCRIPTOR.full_name: newer.as_text(kind()) for kind in TRAVELLING.values()}
    # Of all of them only that they are not what it would say.
    assert set(newer.ask(gen, {"check": plain})) == set(plain)


def test_json_that_an_operator_typed_is_read_also_with_a_field_that_is_not_known() -> None:
    from livinglab.program.v1 import workflow_pb2
    from temporalio.api.common.v1 import Payload

    from chassis.temporal import payloads

    metadata = {"encoding": b"json/protobuf", "messageType": b"livinglab.program.v1.Withdrawal"}
    typed = Payload(metadata=metadata, data=b'{"reason": "no budget", "addedLater": 1}')
    heard = payloads.CONVERTER.payload_converter.from_payload(typed, workflow_pb2.Withdrawal)
    assert heard == workflow_pb2.Withdrawal(reason="no budget")


def test_all_that_a_worker_could_run_is_registered() -> None:
    carried_out = {
        method
        for holder in (Activities, RecurringActivities)
        for _, method in inspect.getmembers(holder, inspect.isfunction)
        if activity._Definition.from_callable(method)
    }
    assert carried_out == {*OF_COHORTS, *OF_SCHEDULES}
    package = importlib.import_module("services.program.workflows")
    places = [f"{package.__name__}.{one.name}" for one in pkgutil.iter_modules(package.__path__)]
    defined = {
        workflow._Definition.must_from_class(kind).name
        for place in places
        for _, kind in inspect.getmembers(importlib.import_module(place), inspect.isclass)
        if workflow._Definition.from_class(kind)
    }
    assert defined == {workflow._Definition.must_from_class(kind).name for kind in WORKFLOWS}
