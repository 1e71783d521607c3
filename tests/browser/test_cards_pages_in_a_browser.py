"""The pages behind the cards in a real browser: what a committee reads, on a desk and on a phone."""

import pytest

from cds_service.app import create_app
from cds_service.authoring.exhibits import CaseExhibits
from cds_service.settings import Settings
from tests.browser.browsing import WIDTHS, served, violations

PAGES = ("FD-AFO-01", "index", "coverage", "value-set-foot-drop")


@pytest.fixture(scope="module")
def address():
    settings = Settings(database_url="sqlite://")
    with served(create_app(settings, exhibits=lambda knowledge: CaseExhibits(settings, knowledge))) as address:
        yield address


@pytest.mark.parametrize(("width", "scheme"), [("desktop", "light"), ("phone", "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_the_page_asks_no_other_host(browser, address, name, width, scheme):
    size = WIDTHS[width]
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{address}/cards/{name}")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert violations(page) == []
    assert complaints == []
    assert all(url.startswith(address) for url in asked)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
