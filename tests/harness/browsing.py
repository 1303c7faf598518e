"""Pages as a browser without script and cookies gets them, and a real Chromium where the machine has one."""

import asyncio
import gzip
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from http.cookies import SimpleCookie
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
# What a browser says of a form on the same site.
SAME = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Got:
    """What came back; `wire` is the size of the body as it was sent."""

    status: int
    headers: Message
    body: bytes
    wire: int

    @property
    def text(self) -> str:
        return self.body.decode()


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


async def get(url: str, headers: Mapping[str, str] | None = None, data: bytes | None = None) -> Got:
    """One request, no redirect followed, every status an answer."""
    return await asyncio.to_thread(_get, url, dict(headers or {}), data)


def _get(url: str, headers: dict[str, str], data: bytes | None) -> Got:
    opener = urllib.request.build_opener(_Straight)
    try:
        answer = opener.open(urllib.request.Request(url, data=data, headers=headers), timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        wire = answer.read()
        compressed = answer.headers.get("content-encoding") == "gzip"
        return Got(answer.status, answer.headers, gzip.decompress(wire) if compressed else wire, len(wire))


def cookies(got: Got) -> dict[str, str]:
    """What a browser would keep."""
    kept: dict[str, str] = {}
    for line in got.headers.get_all("set-cookie") or []:
        kept |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
    return kept


def form(text: str) -> dict[str, str]:
    """The hidden fields of a page, or of a part of it; of forms with the same fields the last one's."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))


async def post(url: str, headers: Mapping[str, str], fields: Mapping[str, str]) -> Got:
    """A form, as a browser sends it from the same site unless the headers say otherwise."""
    return await get(url, {**SAME, **headers}, urllib.parse.urlencode(fields).encode())


def chromium() -> str:
    """The browser of this machine; the test is left out, saying so, where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium on this machine: 'apt-get install chromium' brings it")
    return found


@asynccontextmanager
async def browser(**context: Any) -> AsyncIterator[Any]:
    """A context of a new Chromium, with a profile of its own; pages of it run no script where the test says so."""
    from playwright.async_api import async_playwright

    program = chromium()
    with tempfile.TemporaryDirectory() as profile:
        async with async_playwright() as playwright:
            found = await playwright.chromium.launch_persistent_context(
                str(Path(profile) / "new"), executable_path=program, args=_FLAGS.split(), **context
            )
            try:
                yield found
            finally:
                await found.close()


_CUT = """() => {
  const found = document.documentElement.scrollWidth > innerWidth ? ["wider than the screen"] : [];
  const pen = document.createElement("canvas").getContext("2d");
  for (const one of document.querySelectorAll("body *:not(svg *)")) {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    // What only a screen reader reads, and what scrolls by itself.
    if (!box.width || style.clipPath !== "none" || one.closest(".skip, .scroll, .hidden, .visually-hidden")) continue;
    const inside = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    pen.font = style.font;
    const hint = one.placeholder || "";
    if (pen.measureText(hint).width > inside + 1 && hint) found.push("placeholder " + hint);
    const hides = style.overflowX === "hidden" || style.overflowX === "clip";
    if (hides && one.scrollWidth > one.clientWidth + 1 && one.textContent.trim()) found.push("cut " + one.outerHTML);
    if (box.right > innerWidth + 1 || box.left < -1) found.push("beyond the edge " + one.outerHTML);
  }
  return found.map(one => one.slice(0, 160));
}"""


async def cut(page: Any) -> list[str]:
    """What of a page cannot be read at the width that it has: beyond the edge, hidden by its box, a hint in a field
    that is too narrow for it. 640 pixels are what 1280 are at 200 %."""
    found: list[str] = await page.evaluate(_CUT)
    return found


async def moving(page: Any) -> list[str]:
    """What moves by itself, or glides, on a page."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(one => {
          const style = getComputedStyle(one);
          const glides = [style.animationName !== "none", parseFloat(style.transitionDuration) > 0];
          return glides.some(Boolean) || style.scrollBehavior === "smooth";
        }).map(one => one.outerHTML.slice(0, 80))"""
    )
    return found


async def faults(page: Any) -> list[str]:
    """What axe-core finds on a page against WCAG 2.2 A and AA and its own best practice, one line each."""
    await page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = await page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    return [f"{fault['id']}: {node['html'][:120]}" for fault in found["violations"] for node in fault["nodes"]]
