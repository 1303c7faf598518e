"""Secrets and signatures of webhooks, as the Standard Webhooks specification has them. Pure but for chance.

What is signed is `webhook-id.webhook-timestamp.body`. `v1` is HMAC-SHA256 with a secret that both sides know
(`whsec_`), `v1a` is Ed25519 with a key that only we know (`whsk_`), which anybody verifies with the public one
(`whpk_`). Both stand in one header, each for every secret that holds."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SECRET_BYTES = 32
_SEED_BYTES = 32
SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"


def new_secret() -> str:
    """For HMAC: whsec_ and 32 bytes in base64."""
    return SECRET + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def new_key() -> str:
    """For Ed25519: whsk_ and the private key's 32 bytes in base64."""
    return PRIVATE + base64.b64encode(secrets.token_bytes(_SEED_BYTES)).decode()


def public_key(key: str) -> str:
    """whpk_ and the public half of a private key in base64."""
    return PUBLIC + base64.b64encode(_private(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def headers(message_id: str, moment: datetime, body: bytes, held: Iterable[str]) -> Mapping[str, str]:
    """The three headers of one try; `moment` is aware and that of the try. `held` are secrets and keys, the newest
    first."""
    timestamp = str(int(moment.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = " ".join(_signature(one, signed) for one in held)
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def _signature(held: str, signed: bytes) -> str:
    if held.startswith(SECRET):
        secret = base64.b64decode(held.removeprefix(SECRET))
        return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return "v1a," + base64.b64encode(_private(held).sign(signed)).decode()


@lru_cache(256)
def _private(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.removeprefix(PRIVATE)))
