"""`make schemas`: the written part of docs/events.md, the broker's accounts, and in dist/schemas what others need."""

import argparse
import sys
from pathlib import Path

import yaml

from schemas import asyncapi, packages, page
from schemas.contract import ROOT, comments
from services.console.api import openapi
from stack.access import accounts, read

SUBSCRIBERS = ROOT / "deploy" / "subscribers.yaml"
ACCOUNTS = ROOT / "deploy" / "k8s" / "infra" / "accounts.conf"
_OUT = ROOT / "dist" / "schemas"


def main() -> int:
    """Exit code 0 when everything is written."""
    parser = argparse.ArgumentParser(prog="python -m schemas", description=__doc__)
    parser.add_argument("--out", type=Path, default=_OUT, help="the folder for all but the page")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    page.PAGE.write_text(page.written())
    ACCOUNTS.write_text(accounts(read(SUBSCRIBERS), open=True))
    (out / "asyncapi.yaml").write_text(
        yaml.safe_dump(asyncapi.document(), sort_keys=False, allow_unicode=True, width=110)
    )
    (out / "openapi.yaml").write_text(
        yaml.safe_dump(openapi.document(comments()), sort_keys=False, allow_unicode=True, width=110)
    )
    sys.stdout.write(f"written: {page.PAGE.relative_to(ROOT)}, {out / 'asyncapi.yaml'}\n")
    for line in packages.build(out.resolve()):
        sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
