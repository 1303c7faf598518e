"""What the image holds, as a CycloneDX bill of materials: `python -m deploy.image.contents FILE`.

Written from the lock that the image is made from, so it says the same of the same commit; the packages of the base are
the base's to tell."""

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from packaging.markers import Marker, default_environment

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.runtime.lock"
_NAME = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+?))?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components() -> list[dict[str, Any]]:
    """Every distribution of the lock that an image of Linux takes, with the hashes that it may have."""
    found: list[dict[str, Any]] = []
    taken = True
    here: Any = default_environment() | {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    for line in LOCK.read_text().splitlines():
        if named := _NAME.match(line):
            taken = named["marker"] is None or Marker(named["marker"]).evaluate(here)
            if not taken:
                continue
            name = re.sub(r"[-_.]+", "-", named["name"]).lower()
            found.append(
                {
                    "type": "library",
                    "bom-ref": f"pkg:pypi/{name}@{named['version']}",
                    "name": name,
                    "version": named["version"],
                    "purl": f"pkg:pypi/{name}@{named['version']}",
                    "hashes": [],
                }
            )
        elif taken and found:
            found[-1]["hashes"] += [{"alg": "SHA-256", "content": one} for one in _HASH.findall(line)]
    return found


def bill() -> dict[str, Any]:
    """The document."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    libraries = components()
    image = {"type": "container", "bom-ref": "livinglab", "name": "livinglab", "version": version}
    of_what = json.dumps([image, libraries], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of what it says, not of when it was written.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, of_what)}",
        "version": 1,
        "metadata": {"component": image},
        "components": libraries,
        "dependencies": [{"ref": "livinglab", "dependsOn": [one["bom-ref"] for one in libraries]}],
    }


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bill(), indent=1) + "\n")
    print(path)
