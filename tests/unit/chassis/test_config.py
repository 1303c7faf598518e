"""Settings as the environment says them."""

import pytest
from pydantic import ValidationError

from chassis.config import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MONGO_URI": "mongodb://user:hunter2@a",
        "NATS_REPLICAS": "3",
        "TLS_MUTUAL": "true",
        "TRACE_FILE": "",
        "PEERS": '{"notify": "n:1"}',
        "TRUSTED_PROXIES": '["10.0.0.0/8"]',
        "NOBODY_READS": "x",
    }.items():
        monkeypatch.setenv(f"LIVINGLAB_{name}", value)


def test_what_the_environment_says_is_read_by_the_type_and_what_is_empty_says_nothing() -> None:
    found = Settings()
    assert (found.nats_replicas, found.tls_mutual, found.trace_file) == (3, True, None)
    assert (found.peer("notify"), found.peer("program")) == ("n:1", "program:50051")
    assert found.trusted_proxies == ["10.0.0.0/8"]
    assert found.mongo_uri.get_secret_value() == "mongodb://user:hunter2@a"
    assert "hunter2" not in repr(found)


def test_what_is_given_counts_more() -> None:
    assert Settings(nats_replicas=1, peers={}).peers == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("peers", "{"), ("peers", "[]"), ("nats_replicas", "many"), ("smtp_tls", "x"), ("trusted_proxies", '"a"')],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LIVINGLAB_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()


def test_nothing_of_it_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().nats_replicas = 2
