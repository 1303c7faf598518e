"""`livinglab events access` with a file that is wrong: its faults and an exit code, never a traceback."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import whole


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"subscribers: [{name: A b}]", "subscribers[0]: name 'A b' is not small letters"),
        (b"subscribers: [{name: a, subjects: coaching.v1.>}]", "subscribers[0]: subjects: is no list"),
        (b"subscribers: [{name: a, subjects: [a..b]}, {name: b, hears: all}]", "subscribers[1]: hears: all is neither"),
        (b"subscribers: [a]", "subscribers[0]: is no mapping"),
        (b"subscribers: [{name: a, 1: 2}]", "subscribers[0]: 1: not known"),
        (b"subscribers: {name: a}", "subscribers: is no list"),
        (b"- name: a", "holds something other than `subscribers`"),
        (b"subscriber: []", "holds something other than `subscribers`"),
        (b"subscribers: [", "cannot be read: while parsing"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_faults_of_the_file_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_bytes(content)
    done = CliRunner().invoke(whole(), ["events", "access", "--config", str(path)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_a_file_that_is_right_is_written_as_accounts(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text("subscribers: [{name: a, subjects: [coaching.v1.>]}]")
    done = CliRunner().invoke(whole(), ["events", "access", "--config", str(path)])
    assert done.exit_code == 0
    assert "NATS_PASSWORD_A" in done.stdout
