"""What somebody else wrote neither steers a terminal nor names a file here."""

from pathlib import Path

import pytest
import typer

from cli.evidence import transfer
from cli.speak import output

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31mred\u202e"


def test_codes_that_steer_a_terminal_are_written_as_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["title"], [[ESCAPES]], title=ESCAPES)
    output.say(ESCAPES)
    shown = capsys.readouterr().out
    assert "red" in shown
    assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e"}


def test_a_table_keeps_the_lines_of_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["what"], [["one\ntwo"]])
    shown = capsys.readouterr().out
    assert "one" in shown.splitlines()[3]
    assert "two" in shown.splitlines()[4]


@pytest.mark.parametrize("name", [".bashrc", "-rf", "..", "", "a/.profile", "x\x1b[2J", "c:\\dir\\.ssh"])
def test_the_name_that_an_uploader_gave_does_nothing_here(name: str) -> None:
    with pytest.raises(typer.Exit):
        transfer._here(name)


def test_an_uploaders_file_gets_its_own_name_in_this_folder() -> None:
    assert transfer._here("../../etc/bukti.pdf") == Path("bukti.pdf")
    assert transfer._here("C:\\dir\\bukti.pdf") == Path("bukti.pdf")
