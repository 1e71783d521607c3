"""A real browser, the real service over HTTP, and what a person with a keyboard or a screen reader meets there."""

import contextlib
import shutil
import socket
import threading
import time
from importlib.resources import files

import uvicorn

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for path in map(shutil.which, _NAMES) if path), None)
NO_BROWSER = f"no browser to open pages with: none of {', '.join(_NAMES)} is installed"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    return {
        is: [...document.querySelectorAll('*')].indexOf(at),
        what: at.outerHTML.slice(0, 80),
        outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
        seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    };
}"""
_REACHABLE = """() => {
    const all = [...document.querySelectorAll('*')];
    const asks = all.filter(one => one.matches('a[href], button, select, summary, [tabindex="0"]'));
    return asks.filter(one => one.checkVisibility()).map(one => all.indexOf(one));
}"""


@contextlib.contextmanager
def served(app):
    """The address of an app that answers on a free port of loopback."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield "http://{}:{}".format(*door.getsockname())
        finally:
            server.should_exit = True
            thread.join(20)


def violations(page):
    """What axe finds wrong: rule, what it asks, and the first place."""
    page.evaluate(_AXE)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [(one["id"], one["help"], one["nodes"][0]["html"][:120]) for one in found["violations"]]


def reachable(page):
    """The number of each element that a person without a mouse has to come to."""
    return set(page.evaluate(_REACHABLE))


def walk(page):
    """What has the focus after each press of the tab key, until it comes round."""
    seen = []
    while True:
        page.keyboard.press("Tab")
        now = page.evaluate(_FOCUSED)
        if now["what"].startswith("<body") or (seen and now["is"] == seen[0]["is"]):
            return seen
        seen.append(now)
