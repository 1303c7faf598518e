"""A provider of short messages as it is described: what is sent, what answers mean, what is wrong with it."""

import json
from typing import Any

import pytest
from livinglab.notify.v1 import service_pb2 as pb

from services.notify.model import gateways
from services.notify.model.messages import Taken, Turned, Unreachable

DESCRIBED = r"""{
  "url": "https://graph.provider.example/v1/messages",
  "headers": {"Authorization": "Bearer {secret}", "Idempotency-Key": "{id}"},
  "secret_file": "/run/secrets/gateway",
  "body": {"to": "{digits}", "kind": "text", "text": {"body": "{text}", "preview": false}, "tags": ["{language}", 7]},
  "longest": 40,
  "taken": [200, 202],
  "later": [429, "500-599"],
  "said": [{"text": "\"code\":131047", "means": "refused"}, {"text": "queue full", "means": "later"}]
}"""
LETTER = pb.Message(
    id="m1",
    phone="+6281234567890",
    subject='"Rencana", {secret}',
    body="Baris satu\nBaris dua yang panjang sekali\n",
    recipient=pb.Recipient(language="id"),
)


def test_what_people_typed_stays_text_and_is_cut_to_what_the_provider_takes() -> None:
    headers, body = gateways.request(gateways.read(DESCRIBED), LETTER, "s3cret")
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer s3cret", "m1")
    sent = json.loads(body)
    assert (sent["to"], sent["tags"], sent["text"]["preview"]) == ("6281234567890", ["id", 7], False)
    assert sent["text"]["body"] == '"Rencana", {secret}\n\nBaris satu\nBaris d…'
    assert len(sent["text"]["body"]) == 40


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (200, "{}", Taken()),
        (201, "{}", Turned("201 {}", for_good=True)),
        (200, '{"code":131047}', Turned('200 {"code":131047}', for_good=True)),
        (400, "queue full", Turned("400 queue full", for_good=False)),
        (503, "", Turned("503", for_good=False)),
        (404, "no +6281234567890", Turned("404 no (recipient)", for_good=True)),
        (401, "not s3cret", Unreachable("401 not (secret)")),
        (302, "redirects are not followed", Unreachable("302 redirects are not followed")),
        (0, "no answer within 1 seconds", Unreachable("no answer within 1 seconds")),
    ],
)
def test_an_answer_means_what_the_description_says(status: int, words: str, expected: Any) -> None:
    hidden = {"s3cret": "(secret)", "+6281234567890": "(recipient)", "": "?"}
    assert gateways.outcome(gateways.read(DESCRIBED), status, words, hidden) == expected


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("{digits}", "{number}", r"body: \{number\} is none of"),
        ("Bearer {secret}", "{text}", r"headers: \{text\} is none of"),
        ("500-599", "5xx", "5xx: is no status"),
        ('"secret_file": "/run/secrets/gateway",', "", "secret_file: is needed"),
        ('"longest": 40', '"longer": 40', "longer"),
        ('"means": "later"', '"means": "perhaps"', "means"),
    ],
)
def test_what_is_wrong_with_a_description_is_found_when_it_is_read(before: str, after: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        gateways.read(DESCRIBED.replace(before, after))
