"""The embedded token issuer: signs tokens for a laptop, tests and rehearsals with a key of its own."""

import json
import os
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "livinglab-embedded"
AUDIENCE = "livinglab"
ROLES = (
    *("manager", "operator", "head", "secretary", "regent", "assessor", "coach", "platform", "system", "public"),
    "agency",
)
DAY_SECONDS = 86_400


class Issuer:
    """Keeps its key in a folder; the same folder gives the same issuer again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._key = _key(folder / "key.json")
        self._jwks = folder / "jwks.json"
        if not self._jwks.exists():
            _write(self._jwks, json.dumps({"keys": [self._key.as_dict(private=False)]}))

    @property
    def jwks_url(self) -> str:
        """Where services find the public key."""
        return self._jwks.resolve().as_uri()

    def token(
        self,
        role: str,
        *more: str,
        institution: str = "",
        agency: str = "",
        subject: str = "",
        seconds: int = DAY_SECONDS,
        audience: str = AUDIENCE,
    ) -> str:
        """A token for one role or several, bound to an institution where a role is, and to an agency of it; valid for
        `seconds` (may be negative)."""
        for one in (role, *more):
            if one not in ROLES:
                raise ValueError(f"{one} is not one of {', '.join(ROLES)}")
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": audience,
            "sub": subject or (f"{role}@{institution}" if institution else role),
            "roles": [role, *more],
            "institution": institution,
            **({"agency": agency} if agency else {}),
            "iat": now,
            "exp": now + seconds,
        }
        return self.signed(claims)

    def signed(self, claims: dict[str, object]) -> str:
        """A token that claims just this."""
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)


def _key(path: Path) -> ECKey:
    if not path.exists():
        key = ECKey.generate_key("P-256", auto_kid=True)
        _write(path, json.dumps({**key.as_dict(private=True), "kid": key.kid}))
    return ECKey.import_key(json.loads(path.read_text()))


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for nobody else to read."""
    new = path.with_suffix(f".{os.getpid()}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    # Whoever comes second in a race takes the key that is there.
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
