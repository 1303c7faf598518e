"""No command writes over a file that is there, unless it is told to: tried on every one that takes a file to write."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import typer
from typer.models import ArgumentInfo, OptionInfo
from typer.testing import CliRunner

from cli.main import whole
from cli.speak import files

# Options whose file is read.
READ = frozenset({"--file"})
# They write what nobody names: logs and tokens below the platform's own folder, a download beside its place.
OWN_FILES = frozenset({"cli/platform.py", "cli/evidence/transfer.py"})
Command = Callable[..., Any]


def commands(found: typer.Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    for one in found.registered_commands:
        assert one.callback
        yield (*path, one.name or one.callback.__name__.replace("_", "-")), one.callback
    for group in found.registered_groups:
        assert group.typer_instance
        yield from commands(group.typer_instance, (*path, str(group.name)))


def parameters(command: Command) -> Iterator[tuple[inspect.Parameter, Any, Any]]:
    """Each with its type, and what typer is told of it."""
    for one in inspect.signature(command).parameters.values():
        if get_origin(one.annotation) is Annotated:
            kind, told, *_ = get_args(one.annotation)
            yield one, kind, told


def named(one: inspect.Parameter, told: Any) -> str:
    """How an option is written; typer takes the first name given in an annotation for a default until it runs."""
    return told.default if isinstance(told.default, str) else f"--{one.name}"


def written(command: Command) -> list[str]:
    files = [
        named(one, told)
        for one, kind, told in parameters(command)
        if isinstance(told, OptionInfo) and Path in (kind, *get_args(kind))
    ]
    return [one for one in files if one not in READ]


def arguments(command: Command, but: str) -> list[str]:
    """What the command must be given beside."""
    given: list[str] = []
    for one, _, told in parameters(command):
        if one.default is inspect.Parameter.empty and named(one, told) != but:
            given += ["2022"] if isinstance(told, ArgumentInfo) else [named(one, told), "2022"]
    return given


WRITING = [(path, command, option) for path, command in commands(whole()) for option in written(command)]


@pytest.mark.parametrize(
    ("path", "command", "option"), WRITING, ids=lambda one: "-".join(one) if isinstance(one, tuple) else ""
)
def test_a_file_that_is_there_is_left_as_it_is_and_nothing_is_asked_for(
    path: tuple[str, ...], command: Command, option: str, tmp_path: Path
) -> None:
    there, dangling = tmp_path / "there.html", tmp_path / "link.html"
    there.write_text("mine")
    dangling.symlink_to(tmp_path / "nowhere")
    for file in (there, dangling):
        outcome = CliRunner().invoke(whole(), [*path, *arguments(command, option), option, str(file)])
        assert outcome.exit_code == 1, outcome.output
        assert outcome.stderr == f"{file}: is there already: name another file, or write over it with --force\n"
    assert there.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert "force" in inspect.signature(command).parameters


def test_every_kind_of_output_is_among_those_tried() -> None:
    assert {option for _, _, option in WRITING} == {"--svg", "--output", "--html", "--ics", "--to"}
    assert len(WRITING) >= 8


def test_with_force_it_is_written_over_and_without_only_what_is_new(tmp_path: Path) -> None:
    small = typer.Typer()

    @small.command()
    def write(
        to: Annotated[Path | None, typer.Option("--to", callback=files.new_file)] = None,
        force: files.Force = False,
        late: bool = False,
    ) -> None:
        assert to
        if late:
            to.write_text("theirs")
        files.write_file(to, "mine", force=force)

    file = tmp_path / "file"
    run = CliRunner().invoke
    assert run(small, ["--to", str(file), "--late"]).exit_code == 1
    assert file.read_text() == "theirs"
    for order in (["--force", "--to", str(file)], ["--to", str(file), "--force"]):
        file.write_text("theirs")
        assert run(small, order).exit_code == 0
        assert file.read_text() == "mine"
    new = tmp_path / "new"
    assert run(small, ["--to", str(new)]).exit_code == 0
    assert new.read_text() == "mine"
    assert "cannot be written" in run(small, ["--to", str(tmp_path / "no" / "folder")]).stderr


def test_no_command_writes_a_file_past_the_rule() -> None:
    past = []
    for source in Path("cli").rglob("*.py"):
        if source.as_posix() in OWN_FILES | {"cli/speak/files.py"}:
            continue
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("write_text", "write_bytes", "touch"):
                past.append(f"{source}:{node.lineno}")
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("open"):
                modes = [one.value for one in node.args if isinstance(one, ast.Constant)]
                past += [f"{source}:{node.lineno}" for mode in modes if set(str(mode)) & set("wax+")]
    assert not past
