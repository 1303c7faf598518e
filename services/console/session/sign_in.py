"""Signing in with an OpenID Connect issuer: the code flow with PKCE. What the token says is checked as services do."""

import asyncio
import base64
import hashlib
import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from chassis import auth
from chassis.config import Settings
from chassis.errors import unauthenticated, unavailable
from services.console.session.sessions import Session, Started

_SECONDS = 10
_CONFIGURATION_SECONDS = 3600.0
# Ahead of the token's end, so that no call leaves with one that ends on its way.
_EARLY_SECONDS = 30.0
_LARGEST = 256 * 1024
BACK = "/sign-in/back"


class SignIn:
    """One issuer, as the settings name it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._verifier = auth.verifier(settings)
        self._found: dict[str, Any] = {}
        self._fetched = 0.0

    @property
    def possible(self) -> bool:
        """Whether an issuer is named at all."""
        return bool(self._settings.sign_in_url)

    def home(self, seen: str) -> str:
        """The address of this console as browsers know it; `seen` is how this one came."""
        return (self._settings.console_url or seen).rstrip("/")

    async def start(self, seen: str, after: str) -> tuple[str, Started]:
        """Where to send the browser, and what its return must fit; UNAVAILABLE without the issuer."""
        verifier = secrets.token_urlsafe(48)
        started = Started(secrets.token_urlsafe(32), verifier, after, time.monotonic())
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._settings.sign_in_client,
            "redirect_uri": self.home(seen) + BACK,
            "scope": "openid",
            "state": started.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        place = (await self._configuration())["authorization_endpoint"]
        return f"{place}{'&' if '?' in place else '?'}{urllib.parse.urlencode(asked)}", started

    async def finish(self, seen: str, started: Started, code: str) -> Session:
        """The session that a code is good for; UNAUTHENTICATED where it is good for none."""
        return await self._session(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.home(seen) + BACK,
                "code_verifier": started.verifier,
            }
        )

    async def fresh(self, session: Session) -> bool:
        """Whether the session's token holds for one more call; renewed where it is about to end and can be."""
        if session.expires - _EARLY_SECONDS > time.time():
            return True
        if not session.refresh:
            return False
        renewed = await self._session({"grant_type": "refresh_token", "refresh_token": session.refresh})
        if renewed.subject != session.subject:
            return False
        session.token, session.expires = renewed.token, renewed.expires
        session.refresh = renewed.refresh or session.refresh
        session.roles, session.institution, session.agency = renewed.roles, renewed.institution, renewed.agency
        return True

    async def leave(self, seen: str) -> str:
        """Where to sign out of the issuer too; the race where it offers nothing."""
        place = (await self._configuration()).get("end_session_endpoint", "")
        after = {"client_id": self._settings.sign_in_client, "post_logout_redirect_uri": self.home(seen) + "/"}
        return f"{place}?{urllib.parse.urlencode(after)}" if place else "/"

    async def _session(self, asked: dict[str, str]) -> Session:
        answer = await self._tokens(asked)
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise unauthenticated("NO_TOKEN", "the issuer gave no token")
        identity = await self._verifier.identify(f"Bearer {token}")
        refresh = answer.get("refresh_token", "")
        leeway = self._settings.token_leeway_seconds
        return Session(
            token=token,
            refresh=refresh if isinstance(refresh, str) else "",
            expires=identity.expires - leeway,
            subject=identity.subject,
            roles=identity.roles,
            institution=identity.institution,
            agency=identity.agency,
        )

    async def _tokens(self, asked: dict[str, str]) -> dict[str, Any]:
        client = {"client_id": self._settings.sign_in_client}
        if secret := self._settings.sign_in_secret.get_secret_value():
            client["client_secret"] = secret
        body = urllib.parse.urlencode(asked | client).encode()
        return await asyncio.to_thread(_fetched, (await self._configuration())["token_endpoint"], body)

    async def _configuration(self) -> dict[str, Any]:
        if not self.possible:
            raise unavailable("the sign-in")
        if not self._found or time.monotonic() - self._fetched > _CONFIGURATION_SECONDS:
            place = self._settings.sign_in_url.rstrip("/") + "/.well-known/openid-configuration"
            found = await asyncio.to_thread(_fetched, place, None)
            # Another issuer's configuration would send people, and their codes, elsewhere.
            if found.get("issuer") != self._settings.token_issuer:
                raise unavailable("the sign-in of this issuer")
            self._found, self._fetched = found, time.monotonic()
        return self._found


def _fetched(place: str, body: bytes | None) -> dict[str, Any]:
    """A JSON object from the issuer; UNAUTHENTICATED where it refuses, UNAVAILABLE where it does not answer."""
    if not place.startswith(("https://", "http://")):
        raise unavailable("the token issuer")
    request = urllib.request.Request(place, data=body, headers={"accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            found = json.loads(answer.read(_LARGEST))
    except urllib.error.HTTPError as error:
        if error.code in (400, 401, 403):
            raise unauthenticated("SIGN_IN", "the issuer refused the sign-in") from error
        raise unavailable("the token issuer") from error
    except (OSError, ValueError) as error:
        raise unavailable("the token issuer") from error
    if not isinstance(found, dict):
        raise unavailable("the token issuer")
    return found
