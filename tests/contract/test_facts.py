"""The contract of the facts as it is written for others: the page, the AsyncAPI document, the address of a schema."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from livinglab.common.v1 import options_pb2

from chassis import naming
from schemas import asyncapi, page
from schemas.contract import PROTOS, Fact, facts
from schemas.examples import example

FACTS = facts()
CHECKS = PROTOS.parent / "schemas" / "node"
# RFC 3986, 4.3: no fragment; what CloudEvents means by a URI.
ABSOLUTE_URI = re.compile(r"[a-z][a-z0-9+.-]*:[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]+")


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_every_fact_says_what_it_means_and_what_its_aggregate_is(fact: Fact) -> None:
    assert fact.meaning.endswith("."), f"{fact.type} needs a comment that ends with a full stop"
    assert fact.options.key, f"{fact.type}: its event option says no key"


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_the_example_of_every_fact_has_the_subject_of_its_channel(fact: Fact) -> None:
    event = example(fact)
    told = fact.address.format(**{field: getattr(event, field) for field in fact.options.subject})
    assert naming.subject(event) == told
    assert event.meta.aggregate_id


def test_only_what_names_an_institution_in_its_subject_is_for_that_institution() -> None:
    for fact in FACTS:
        if fact.options.audience == options_pb2.AUDIENCE_INSTITUTION:
            assert list(fact.options.subject) == ["institution"], fact.type


def test_the_page_says_what_the_protos_say() -> None:
    assert page.PAGE.read_text() == page.written(), "run `make schemas`"


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_the_schema_of_a_fact_is_a_file_of_the_package_that_has_its_message(fact: Fact) -> None:
    uri = naming.data_schema(fact.type)
    assert ABSOLUTE_URI.fullmatch(uri)
    package, _, file = uri.partition("?file=")
    assert package == "pkg:pypi/livinglab-protos"
    assert re.search(rf"^message {fact.name} \{{$", (PROTOS / file).read_text(), re.MULTILINE)


def test_the_subscribers_that_are_shown_know_every_fact() -> None:
    files = {fact.descriptor.file.name.removesuffix(".proto") for fact in FACTS}
    typescript = (PROTOS.parent / "examples" / "typescript" / "subscriber.ts").read_text()
    imported = dict(re.findall(r'^import \{ (\w+) \} from "livinglab-protos/(.+)_pb\.js";$', typescript, re.MULTILINE))
    assert set(imported.values()) == files
    [known] = re.findall(r"createRegistry\(([^)]*)\)", typescript)
    assert set(re.findall(r"\w+", known)) == set(imported)
    go = (PROTOS.parent / "examples" / "go" / "main.go").read_text()
    assert set(re.findall(r'_ "livinglab\.local/protos/(.+)"', go)) == {name.rpartition("/")[0] for name in files}


def test_headers_hold_no_character_that_cloudevents_forbids() -> None:
    assert naming.encoded('kota "Padang" 100% é') == "kota%20%22Padang%22%20100%25%20%C3%A9"
    assert naming.encoded("cohort/32.11:e1") == "cohort/32.11:e1"


def test_the_document_has_a_channel_and_a_message_for_every_fact() -> None:
    document = asyncapi.document()
    assert set(document["channels"]) == set(document["components"]["messages"]) == {fact.type for fact in FACTS}
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert len(addresses) == len(FACTS)


def test_the_official_parser_takes_the_document_and_reads_every_field(tmp_path: Path) -> None:
    if not shutil.which("node") or not (CHECKS / "node_modules").exists():
        pytest.skip("no node, or `make foreign` has not run: the official AsyncAPI parser is left out")
    told = _checked(tmp_path, asyncapi.document())
    assert (told["version"], told["faults"]) == ("3.1.0", [])
    pool = descriptor_pool.Default()
    assert {kind: set(fields) for kind, fields in told["fields"].items()} == {
        fact.type: {field.name for field in pool.FindMessageTypeByName(fact.type).fields} for fact in FACTS
    }
    broken = asyncapi.document()
    payload = broken["components"]["messages"][FACTS[0].type]["payload"]
    payload["schema"] = payload["schema"].replace(" string ", " strin ", 1)
    assert "strin " in payload["schema"]
    assert _checked(tmp_path, broken)["faults"]


def _checked(folder: Path, document: object) -> dict[str, Any]:
    path = folder / "asyncapi.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    done = subprocess.run(["node", "validate.mjs", str(path)], cwd=CHECKS, capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout))


def test_the_schema_in_the_document_has_the_numbers_and_types_of_the_protos() -> None:
    told = asyncapi.proto(descriptor_pool.Default().FindMessageTypeByName("livinglab.assessment.v1.ResultImported"))
    assert "  map<string, string> values = 11;" in told
    assert "  Meta meta = 1;" in told
    assert "  google.protobuf.Timestamp occurred_time = 4;" in told
    assert FieldDescriptor.TYPE_GROUP not in asyncapi.SCALARS
