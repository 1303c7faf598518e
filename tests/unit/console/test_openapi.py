"""The OpenAPI document: valid, and the same as the contract."""

import json

from openapi_spec_validator import OpenAPIV31SpecValidator

from schemas.contract import comments
from services.console.api import openapi
from services.console.api.methods import methods


def test_the_document_is_valid_and_has_every_method_that_is_open() -> None:
    document = openapi.document(comments())
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["paths"]) == set(methods())
    told = {path: set(one) for path, one in document["paths"].items()}
    assert told["/api/assessment.v1.ResultService/ImportResults"] == {"post"}
    assert told["/api/benchmark.v1.BenchmarkService/GetRanking"] == {"get", "post"}
    assert "Managers and the platform team." in json.dumps(
        document["paths"]["/api/assessment.v1.ResultService/ImportResults"]
    )
    # Nobody needs a token for the race; for a cohort's participants everybody does.
    assert {} in document["paths"]["/api/benchmark.v1.BenchmarkService/GetRanking"]["get"]["security"]
    assert {} not in document["paths"]["/api/program.v1.ProgramService/ListParticipants"]["get"]["security"]


def test_no_write_is_open_but_those_that_are_named() -> None:
    for method in methods().values():
        assert method.writes or "request_id" not in method.descriptor.input_type.fields_by_name, method.path
