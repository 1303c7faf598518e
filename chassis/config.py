"""Every variable that a process reads, with its default. All of them start with LIVINGLAB_."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

_PREFIX = "LIVINGLAB_"


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


T = TypeVar("T")
_Json = Annotated[T, BeforeValidator(_read)]


class Settings(BaseModel):
    """One frozen object, read once from the environment; ValidationError names each variable that is wrong."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def __init__(self, **given: Any) -> None:
        """What is given, else what the environment says; a variable that is empty says nothing."""
        told = {name: os.environ.get(f"{_PREFIX}{name.upper()}") for name in type(self).model_fields}
        super().__init__(**{**{name: value for name, value in told.items() if value}, **given})

    # Where the servers are. A prefix keeps several systems on one server apart.
    # Passwords stand in these two, so no log or error shows them.
    mongo_uri: SecretStr = SecretStr("mongodb://mongod:27017/?replicaSet=rs0")
    database_prefix: str = ""
    nats_url: SecretStr = SecretStr("nats://nats:4222")
    nats_replicas: int = 1
    temporal_address: str = "temporal:7233"
    temporal_namespace: str = "default"
    # Names the release that a worker is of; empty where releases are not told apart.
    build_id: str = ""
    smtp_address: str = "smtp:25"
    # Where the mail of rehearsals goes, whose people are often real ones. Empty: nowhere; it is read with the messages.
    rehearsal_smtp_address: str = ""
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    # How mail travels: starttls must succeed, implicit is TLS from the first byte (usual on port 465), opportunistic
    # takes what the server offers. Empty: starttls where a password would be sent, implicit on port 465, else
    # opportunistic.
    smtp_tls: Literal["", "starttls", "implicit", "opportunistic", "plain"] = ""
    mail_from: str = "livinglab@livinglab.example"

    # Short messages to phones: a file that describes the provider (docs/letters.md). None: there are none.
    gateway_file: Path | None = None

    # Webhooks, and that provider: networks, as JSON, that may be sent into beside public addresses (["10.20.0.0/16"]),
    # there by http too; how long one try may take, and whose certificates are believed where it is not the system's
    # authorities.
    webhook_networks: _Json[list[str]] = []
    webhook_seconds: float = 15.0
    webhook_authorities: Path | None = None
    # The keys that their secrets are sealed with in the database, a line each (an id, a blank, 32 bytes in base64), the
    # one that seals first. Empty: secrets are kept as they are.
    webhook_keys: Path | None = None

    # TLS, files in PEM, read again when they change: what this process shows, whose certificates it believes, and
    # whether both sides show one. gRPC between processes and NATS (tls://) go by them; for MongoDB see its URI.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authorities: Path | None = None
    tls_mutual: bool = False
    # The same for Temporal, with authorities of its own: a managed one has others.
    temporal_tls: bool = False
    temporal_tls_authorities: Path | None = None

    # It makes what it needs before it serves (collections, indexes, streams, consumers; program also its namespace and
    # search attributes of Temporal) and ends: for a job before a roll-out. Done again it changes nothing.
    prepare_only: bool = False

    # Where this process listens.
    listen: str = "0.0.0.0:50051"
    metrics_listen: str = "0.0.0.0:9464"
    # The console alone: where browsers come in.
    http_listen: str = "0.0.0.0:8080"
    # Its sign-in: the issuer's address, below which its OpenID configuration is; empty where nobody signs in. What it
    # is to the issuer, and the address by which browsers know it.
    sign_in_url: str = ""
    sign_in_client: str = "livinglab-console"
    sign_in_secret: SecretStr = SecretStr("")
    console_url: str = ""
    # Where the platform team looks at workflows, for links; empty: there are none.
    temporal_ui_url: str = ""

    # Where the other processes are, as JSON by name; otherwise their name and the usual port.
    peers: _Json[dict[str, str]] = {}

    # Who signs tokens, for whom, and what this process shows to others.
    jwks_url: str = ""
    token_issuer: str = "livinglab"
    token_audience: str = "livinglab"
    # Where a token says who somebody is: claims by their path (realm_access.roles), and our names, as JSON, for roles
    # that the issuer calls otherwise.
    roles_claim: str = "roles"
    institution_claim: str = "institution"
    agency_claim: str = "agency"
    role_names: _Json[dict[str, str]] = {}
    token_file: Path | None = None
    # Who signs the tokens of pods, where a cluster does, and how the subjects of our own begin.
    workload_issuer: str = ""
    workload_jwks_url: str = ""
    workload_subjects: str = ""
    # How far another clock may be off when a token's times are looked at, how long a token may hold at most, and how
    # often the keys of its issuer are asked for: one that the issuer takes back is trusted that long.
    token_leeway_seconds: int = 30
    token_longest_seconds: float = 86_400.0
    key_refresh_seconds: float = 300.0

    # Calls a minute that one peer makes without a token to methods that are open to the public; 0 where only tokens
    # count. The networks of proxies, as JSON, whose x-forwarded-for says who the peer is.
    anonymous_calls_per_minute: int = 600
    trusted_proxies: _Json[list[str]] = []

    # Telling what happens.
    log_level: str = "INFO"
    otlp_endpoint: str = ""
    trace_file: Path | None = None
    # Share of traces kept that no caller has decided on.
    trace_ratio: float = 0.01

    # Longest wait of a call whose caller set no deadline.
    deadline_seconds: float = 30.0
    # Calls and watchers at once, of everybody; calls of one caller that are served at once, and that wait for those.
    maximum_concurrent_rpcs: int = 2_000
    calls_at_once: int = 16
    calls_waiting: int = 500
    # After SIGTERM: how long calls under way may take.
    grace_seconds: float = 10.0

    def peer(self, name: str) -> str:
        """gRPC address of another process."""
        return self.peers.get(name, f"{name}:50051")


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
