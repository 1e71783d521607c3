"""The documentation's site in a real browser: no other host, nothing for axe, and a search that needs no server."""

import functools
import http.server
import subprocess
import sys
import threading
from importlib.util import find_spec

import pytest

from tests.browser.browsing import WIDTHS, violations
from tests.docs.pages import ROOT

pytestmark = pytest.mark.skipif(find_spec("myst_parser") is None, reason="Sphinx is not installed: `make docs` does it")
PAGES = ("docs/index", "README", "docs/configuration", "files/NOTICE", "search")


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site") / "built"
    subprocess.run([sys.executable, "-m", "docs.site", "--out", str(out)], cwd=ROOT, check=True)
    return out


@pytest.fixture(scope="module")
def base(site):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("width", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_pages_are_whole_and_can_be_read_by_everybody(browser, base, width, scheme):
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda sent: None if sent.url.startswith((base, "data:")) else wrong.append(sent.url))
    for name in PAGES:
        page.goto(f"{base}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert violations(page) == [], name
    assert wrong == []
    context.close()


def test_the_search_finds_a_setting_without_a_server(browser, site):
    page = browser.new_page()
    page.goto(f"file://{site}/search.html?q=CDS_DEADLINE_MS")
    found = page.locator("#search-results a[href*='configuration.html']").first
    found.wait_for(timeout=5000)
    page.goto(f"file://{site}/index.html")
    page.wait_for_url("**/docs/index.html")
    assert page.locator("h1").first.inner_text().startswith("Foot drop CDS")
    page.close()
