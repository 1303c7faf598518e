"""What a command is given by hand: codes of institutions, numbers, texts, days."""

import inspect
import json
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.models import ArgumentInfo, OptionInfo
from typer.testing import CliRunner

from cli.assessment import present
from cli.main import main, whole
from cli.race import ranking
from cli.speak.codes import as_code

# These read a code themselves, since they take a file of them too.
_OF_FILES = {"set-capacity", "set-population", "set-cluster"}
_INSTITUTIONS = {"institution", "institutions", "host", "role_model", "parent", "conflict"}


def commands(app: typer.Typer) -> Iterator[tuple[str, Callable[..., Any]]]:
    for found in app.registered_commands:
        assert found.callback
        yield found.name or found.callback.__name__, found.callback
    for group in app.registered_groups:
        assert group.typer_instance
        yield from commands(group.typer_instance)


def test_every_code_of_an_institution_is_read_as_in_files() -> None:
    unread = []
    for name, command in commands(whole()):
        for parameter, kind in typing.get_type_hints(command, include_extras=True).items():
            told = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, OptionInfo | ArgumentInfo)]
            if told and parameter in _INSTITUTIONS and name not in _OF_FILES and told[0].parser is not as_code:
                unread.append(f"{name} {parameter}")
    assert not unread


def test_who_signs_in_with_a_clipped_code_acts_for_the_region_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVINGLAB_HOME", str(tmp_path))
    asked = ["login", "--as", "operator", "--institution", "32.1", "--print", "--json"]
    result = CliRunner().invoke(whole(), asked)
    assert json.loads(result.stdout)["institution"] == "32.10"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--since", "2021", "--size", "99999999999999"), "99999999999999 is larger than any number here may be"),
        (("--since", "2021\udcff"), "2021\\udcff is not UTF-8 text"),
    ],
)
def test_what_has_no_place_in_a_message_is_wrong_usage(
    arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    race = ["benchmark", "leaps", "--instrument", "spbe-59-2020", "--period", "2022"]
    monkeypatch.setattr(sys, "argv", ["livinglab", *race, *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (2, told + "\n")


@pytest.mark.parametrize("day", ["9999-12-31", "2022-02-30", "99999-01-01", "yesterday"])
def test_a_day_that_has_no_end_is_no_day(day: str) -> None:
    with pytest.raises(typer.Exit):
        ranking._end_of(day)


def test_gains_are_written_as_people_write_them() -> None:
    assert [present._plain(gain) for gain in ("0.120000", "0.013000", "2.000000", "")] == ["0.12", "0.013", "2", ""]


def test_an_evaluation_is_opened_for_the_region_of_the_token() -> None:
    from cli.assessment.commands import open_evaluation

    assert inspect.signature(open_evaluation).parameters["institution"].default == ""
