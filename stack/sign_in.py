"""A sign-in page for local use: an OpenID provider before the embedded issuer, where anybody on this machine may be
anybody, as with `livinglab login`. It answers on the loopback address and knows one client, the console here."""

import base64
import hashlib
import html
import secrets
import time
import urllib.parse
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis.web import Server
from stack.issuer import ISSUER, Issuer

CLIENT = "livinglab-console"
_CODE_SECONDS = 60.0
_OF_AN_INSTITUTION = ("operator", "head", "secretary", "regent", "agency")
_PEOPLE = (*_OF_AN_INSTITUTION, "assessor", "coach", "manager", "platform")
_HOURS = 8 * 3600
_LARGEST = 16 * 1024
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    # The answer to the form leads on to the console, which is another origin.
    "content-security-policy": "default-src 'none'; style-src 'sha256-{style}'; form-action 'self' http://127.0.0.1:*",
    "x-content-type-options": "nosniff",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:2rem auto;padding:0 1rem;color:#1c2430}"
    "label{display:block;margin:.8rem 0}select,input,button{display:block;width:100%;font:inherit;padding:.5rem;"
    "min-height:2.75rem;box-sizing:border-box}button{background:#0b4f6c;color:#fff;border:0;border-radius:4px}"
)
_PAGE = """<!doctype html><html lang="id"><meta charset="utf-8"><title>Masuk (lokal)</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style>
<main><h1>Masuk sebagai</h1><p>Halaman ini hanya untuk percobaan di komputer sendiri.
<span lang="en">For local use only: choose who you want to be.</span></p>
<form method="post">{kept}<label>Peran (role) <select name="role">{roles}</select></label>
<label>Kode daerah (institution) <input name="institution" value="32.11" maxlength="32"></label>
<label>OPD (agency; hanya untuk agency) <input name="agency" maxlength="128"></label>
<label>Nama pengguna (subject; id bagi pendamping) <input name="subject" maxlength="100"></label>
<button>Masuk</button></form></main></html>"""
_KEPT = ("redirect_uri", "state", "client_id", "code_challenge", "code_challenge_method", "response_type")


@dataclass(frozen=True)
class _Code:
    token: str
    challenge: str
    redirect: str
    until: float


class Provider:
    """The pages of the provider."""

    def __init__(self, issuer: Issuer, base: str, console: str) -> None:
        self._issuer, self._base, self._console = issuer, base, console
        self._codes: dict[str, _Code] = {}

    def application(self) -> Starlette:
        """What it answers."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/end", self._end),
            ]
        )

    async def _configuration(self, _request: Request) -> Response:
        found = {"issuer": ISSUER, "code_challenge_methods_supported": ["S256"], "response_types_supported": ["code"]}
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "end_session_endpoint": "end"}
        return JSONResponse(found | {name: f"{self._base}/{path}" for name, path in ends.items()})

    async def _authorize(self, request: Request) -> Response:
        body = (await request.body())[:_LARGEST].decode() if request.method == "POST" else ""
        asked = dict(request.query_params) | dict(urllib.parse.parse_qsl(body))
        redirect = asked.get("redirect_uri", "")
        fine = asked.get("client_id") == CLIENT and redirect.startswith(f"{self._console}/")
        if not fine or asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return Response("not a sign-in of the console here\n", 400)
        role, agency = asked.get("role", ""), asked.get("agency", "").strip()
        # Somebody of an agency that is not named could do nothing.
        if request.method == "GET" or role not in _PEOPLE or (role == "agency" and not agency):
            return self._page(asked)
        code = secrets.token_urlsafe(32)
        token = self._issuer.token(
            role,
            institution=asked.get("institution", "") if role in _OF_AN_INSTITUTION else "",
            agency=agency if role == "agency" else "",
            subject=asked.get("subject", "")
            or (f"{agency}@{asked.get('institution', '')}" if role == "agency" else ""),
            seconds=_HOURS,
        )
        self._codes[code] = _Code(token, asked["code_challenge"], redirect, time.monotonic() + _CODE_SECONDS)
        answer = urllib.parse.urlencode({"code": code, "state": asked.get("state", ""), "iss": ISSUER})
        return Response(status_code=303, headers={"location": f"{redirect}?{answer}", "cache-control": "no-store"})

    def _page(self, asked: dict[str, str]) -> Response:
        kept = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(asked.get(name, ""))}">' for name in _KEPT
        )
        roles = "".join(f"<option>{role}</option>" for role in _PEOPLE)
        style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
        headers = {name: value.replace("{style}", style) for name, value in _HEADERS.items()}
        return Response(_PAGE.format(style=_STYLE, kept=kept, roles=roles), headers=headers)

    async def _token(self, request: Request) -> Response:
        asked = dict(urllib.parse.parse_qsl((await request.body())[:_LARGEST].decode()))
        code = self._codes.pop(asked.get("code", ""), None)
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if code is None or code.until < time.monotonic() or code.redirect != asked.get("redirect_uri"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        if not secrets.compare_digest(proof, code.challenge):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": code.token, "token_type": "Bearer", "expires_in": _HOURS})

    async def _end(self, _request: Request) -> Response:
        return Response(status_code=303, headers={"location": f"{self._console}/"})


def server(issuer: Issuer, port: int, console: str) -> Server:
    """A server of it on the loopback address, for the supervisor's own loop; `serve()` runs it."""
    base = f"http://127.0.0.1:{port}"
    application = Provider(issuer, base, console).application()
    return Server(
        uvicorn.Config(
            application, host="127.0.0.1", port=port, lifespan="off", ws="none", log_config=None, log_level="error"
        )
    )


def configuration(console: str, port: int) -> dict[str, str]:
    """What the console is told of it."""
    return {
        "LIVINGLAB_SIGN_IN_URL": f"http://127.0.0.1:{port}",
        "LIVINGLAB_SIGN_IN_CLIENT": CLIENT,
        "LIVINGLAB_CONSOLE_URL": console,
    }
