"""Official evaluation instruments as data: where their files lie."""

from importlib.resources import files
from importlib.resources.abc import Traversable

_CROSSWALK, _GUIDANCE = "crosswalk_", "guidance_"


def instrument_files() -> dict[str, Traversable]:
    """The official instruments' files by instrument id, in the order of their ids."""
    beside = (_CROSSWALK, _GUIDANCE)
    return {path.name.removesuffix(".yaml"): path for path in _yaml_files() if not path.name.startswith(beside)}


def guidance_files() -> dict[str, Traversable]:
    """Files that say what each level asks for, by instrument id."""
    return {
        path.name.removeprefix(_GUIDANCE).removesuffix(".yaml"): path
        for path in _yaml_files()
        if path.name.startswith(_GUIDANCE)
    }


def crosswalk_files() -> dict[tuple[str, str], Traversable]:
    """Files that say which evidence carries over, by (from instrument, to instrument)."""
    found = {}
    for path in _yaml_files():
        if path.name.startswith(_CROSSWALK):
            old, new = path.name.removeprefix(_CROSSWALK).removesuffix(".yaml").split("_")
            found[old, new] = path
    return found


def _yaml_files() -> list[Traversable]:
    return sorted(
        (path for path in files(__name__).joinpath("data").iterdir() if path.name.endswith(".yaml")),
        key=lambda path: path.name,
    )
