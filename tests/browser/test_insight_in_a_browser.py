"""`/insight` in a real browser: on a desk and on a phone, in light and in dark, by keyboard, and under axe's eyes."""

from urllib.parse import parse_qs, urlsplit

import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.browser.browsing import WIDTHS, reachable, served, violations, walk
from tests.web import insight_world as figures

PAGES = {
    "plausible": figures.plausible,
    "hostile": figures.hostile,
    "empty": figures.empty,
    "nothing selected": figures.nothing_selected,
}


@pytest.fixture(scope="module")
def shown():
    """The service's address, and its figures."""
    with pytest.MonkeyPatch.context() as patch:
        made = figures.show(patch)
        app = create_app(Settings(database_url="sqlite://"))
    with served(app) as address:
        yield address, made


@pytest.fixture
def opened(browser, shown):
    """Opens `/insight` and remembers what the browser asked for and what it complained of."""
    address, made = shown
    contexts = []

    def open_page(answer=figures.plausible, width="desktop", scheme="light", query=""):
        made.answer = answer
        size = WIDTHS[width]
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(f"{address}/insight{query}")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        *(("plausible", width, scheme) for width in WIDTHS for scheme in ("light", "dark")),
        ("hostile", "phone", "dark"),
        ("hostile", "desktop", "light"),
        ("empty", "phone", "light"),
        ("nothing selected", "phone", "dark"),
    ],
)
def test_axe_finds_nothing_and_the_browser_complains_of_nothing(opened, name, width, scheme):
    page = opened(PAGES[name], width, scheme)
    for behind in page.locator("summary").all():
        behind.click()
    assert violations(page) == []
    assert page.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_browser_asks_for_the_page_and_for_nothing_else(opened, shown, width):
    page = opened(width=width)
    page.wait_for_load_state("networkidle")
    assert page.asked == [f"{shown[0]}/insight"]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("pixels", [390, 320])
def test_a_phone_has_nothing_to_scroll_sideways(opened, name, pixels):
    page = opened(PAGES[name], "phone")
    page.set_viewport_size({"width": pixels, "height": 700})
    for behind in page.locator("summary").all():
        behind.click()
    assert page.evaluate("document.documentElement.scrollWidth") == pixels


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(opened, width):
    page = opened(width=width)
    steps = walk(page)
    assert {step["is"] for step in steps} == reachable(page)
    assert [step["what"] for step in steps if step["outline"] < 2 or not step["seen"]] == []


def test_the_table_behind_a_chart_opens_by_keyboard_and_is_reached_then(opened):
    page = opened()
    before = reachable(page)
    page.locator("section:has(#groups) summary").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("region", name="Cards by group").is_visible()
    inside = reachable(page) - before
    assert len(inside) == 1 + len(figures.plausible().groups) + 1  # the table, a link in each row, the CSV
    assert {step["is"] for step in walk(page)} >= inside - {0}


def test_filters_are_set_by_keyboard_and_stand_in_the_address(opened, shown):
    page = opened(query="?by=hook")
    page.get_by_label("Client", exact=True).focus()
    page.keyboard.type("univ")
    page.get_by_label("From the week of").focus()
    page.keyboard.type("7 Sep")
    page.get_by_role("button", name="Show").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**client=univ**")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked == {"client": ["university-clinic"], "from": ["2026-09-07"], "by": ["hook"]}
    filters = shown[1].asked[-1]
    assert (filters.client, filters.first, filters.by) == ("university-clinic", figures.WEEKS[0], "hook")
    assert page.get_by_label("Client", exact=True).input_value() == "university-clinic"
    page.get_by_role("link", name="Clear all filters").click()
    assert urlsplit(page.url).query == "by=hook"
    assert page.complaints == []


def test_a_chart_is_a_picture_whose_name_has_its_figures(opened):
    page = opened()
    named = page.get_by_role("img").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert len(named) > 20
    assert all(any(letter.isdigit() for letter in name) for name in named)
    assert page.get_by_role("img", name="FD-AFO-01: 41 % (36 to 46 %) accepted").count() == 1


def test_colour_is_not_the_only_thing_that_tells_the_parts_apart(opened):
    page = opened()
    fills = page.locator("svg[aria-label^='All cards'] rect").evaluate_all(
        "all => all.map(one => [one.getAttribute('fill'), getComputedStyle(one).strokeDasharray])"
    )
    assert len({tuple(fill) for fill in fills}) == len(fills) == 4


def test_a_csv_is_saved_under_a_name_that_says_what_it_is(opened):
    page = opened(query="?client=general-hospital")
    page.locator("section:has(#weeks) summary").click()
    with page.expect_download() as saving:
        page.locator("section:has(#weeks)").get_by_role("link", name="The same as CSV").click()
    assert saving.value.suggested_filename == "insight-weeks.csv"
