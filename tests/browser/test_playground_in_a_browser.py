"""The playground in a real browser: each thing that a visitor may want to do with it, done once."""

import json
import re
import shutil
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.api.world import ROOT
from tests.browser.browsing import WIDTHS, reachable, served, violations, walk
from tests.web.playground_world import bundle, foot_drop, patient

REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d ")
LOOKS = [(width, scheme) for width in WIDTHS for scheme in ("light", "dark")]
AFO = {"system": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": "L1960"}
ORTHOSIS = {
    "resourceType": "DeviceUseStatement",
    "id": "use",
    "contained": [{"resourceType": "Device", "id": "d", "type": {"coding": [AFO], "text": "Ankle-foot orthosis"}}],
    "status": "completed",
    "subject": {"reference": "Patient/mine"},
    "device": {"reference": "#d"},
}
MINE = bundle(patient(), foot_drop())


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    """A copy of the knowledge, to edit."""
    return shutil.copytree(ROOT / "cards", tmp_path_factory.mktemp("edited") / "cards")


@pytest.fixture(scope="module")
def address(cards):
    with served(create_app(Settings(database_url="sqlite://", cards_dir=cards, development=True))) as address:
        yield address


@pytest.fixture
def opened(browser, address):
    """Opens the playground; afterwards no request went elsewhere, and the browser complained of refusals only."""
    pages = []

    def open_page(width="desktop", scheme="light", **options):
        size = {"width": WIDTHS[width][0], "height": WIDTHS[width][1]}
        page = browser.new_context(viewport=size, color_scheme=scheme, **options).new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(f"{address}/")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert [url for url in page.asked if not url.startswith(f"{address}/")] == []
        assert [one for one in page.complaints if not REFUSED.match(one)] == []
        page.context.close()


def fire(page, button="#fire"):
    page.locator(button).click()
    arrived(page)


def arrived(page):
    page.locator("body:not([aria-busy]) #parts:not([hidden])").wait_for()


def topics(page):
    return page.locator("#cards .card").evaluate_all("all => all.map(one => one.dataset.topic)")


def choose(page, example, hook="patient-view"):
    page.select_option("#example", example)
    page.check(f'input[value="{hook}"]')


def response_of(page):
    return json.loads(page.locator("#response").text_content())


# ---- the first look


def test_one_click_brings_the_first_cards(opened):
    page = opened()
    assert page.get_by_role("heading", level=1).inner_text() == "Foot drop CDS"
    page.get_by_role("button", name="Fire the hook").click()
    arrived(page)
    assert topics(page) == ["FD-AFO-01", "FD-EDX-01", "FD-PT-01", "FD-CPN-01"]
    assert re.fullmatch(r"HTTP 200 in \d+ ms\. 4 cards\.", page.locator("#status").inner_text())
    assert page.evaluate("document.activeElement.id") == "cards-title"
    assert json.loads(page.locator("#request").text_content())["hook"] == "patient-view"
    assert [card["source"]["topic"]["code"] for card in response_of(page)["cards"]] == topics(page)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_before_and_after(opened, width, scheme):
    page = opened(width, scheme)
    assert violations(page) == []
    choose(page, "diabetes-unexplained", "order-select")
    page.click("#add")
    page.check('input[value="patient-view"]')
    page.locator(".more summary").click()
    page.check('input[value="deviceUse"]')
    fire(page)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator("#record select").first.select_option("resolved")
    fire(page, "#change [type=submit]")
    page.evaluate("document.querySelectorAll('#cards details').forEach(one => { one.open = true; })")
    page.evaluate("document.querySelectorAll('.why').forEach((one, at) => { one.open = at < 4; })")
    assert violations(page) == []


@pytest.mark.parametrize("pixels", [390, 320])
def test_a_phone_has_nothing_to_scroll_sideways(opened, pixels):
    page = opened("phone")
    page.set_viewport_size({"width": pixels, "height": 700})
    choose(page, "untreated-cidp")
    fire(page)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == pixels


def test_without_script_the_page_says_what_it_needs(opened):
    page = opened(java_script_enabled=False)
    assert "needs JavaScript" in page.locator("noscript").inner_text()


# ---- what is asked


def test_a_bundle_is_pasted(opened):
    page = opened()
    page.select_option("#example", "")
    page.get_by_label("A FHIR R4 Bundle with a Patient and the record").fill(MINE)
    fire(page)
    assert "FD-AFO-01" in topics(page)
    assert "Condition/drop" in page.locator("#timeline").inner_text()


def test_a_file_is_dropped_or_chosen(opened):
    page = opened()
    drop = """text => {
        const moved = new DataTransfer();
        moved.items.add(new File([text], "mine.json", {type: "application/json"}));
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: moved, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(drop, MINE)
    page.get_by_text("Your own record: mine.json").wait_for()
    fire(page)
    assert "FD-AFO-01" in topics(page)
    file = {"name": "other.json", "mimeType": "application/json", "buffer": bundle(patient()).encode()}
    page.locator("#file").set_input_files(file)
    page.get_by_text("Your own record: other.json").wait_for()
    fire(page)
    assert "Nothing to recommend." in page.locator("#cards").inner_text()


def test_a_draft_order_is_criticised_until_it_is_taken_away(opened):
    page = opened()
    choose(page, "duplicate-orthosis", "order-select")
    page.select_option("#orderable", "ankle-foot orthosis")
    page.select_option("#side", "right")
    page.get_by_role("button", name="Add draft").click()
    fire(page)
    assert topics(page) == ["FD-AFO-03"]
    assert "(DeviceRequest/draft-1), right" in page.locator("#why").text_content()
    page.get_by_label("selected: Ankle-foot orthosis").uncheck()
    fire(page)
    assert topics(page) == []
    page.get_by_role("button", name="Take away: Ankle-foot orthosis").click()
    assert page.evaluate("document.activeElement.id") == "add"


def test_what_cannot_be_asked_hides_the_answer_before_it(opened):
    page = opened()
    fire(page)
    page.select_option("#example", "")
    page.locator("#pasted").fill("{")
    page.locator("#fire").click()
    page.get_by_text("No call was made: the record is not JSON.").wait_for()
    assert not page.locator("#parts").is_visible()
    assert page.evaluate("document.activeElement.id") == "failure"


# ---- what the user does with a card


def test_accepting_and_dismissing_are_reported_and_the_ledger_has_them(opened, address):
    page = opened()
    choose(page, "untreated-cidp", "encounter-discharge")
    fire(page)
    first, second = page.locator("#cards .card").nth(0), page.locator("#cards .card").nth(1)
    first.get_by_role("button", name="Accept").first.click()
    first.get_by_text("Accepted. The service says of the feedback: kept").wait_for()
    second.get_by_text("Dismiss this card").click()
    second.get_by_label("Reason").select_option(index=1)
    second.get_by_label("Comment").fill("seen by a colleague")
    second.get_by_role("button", name="Dismiss", exact=True).click()
    second.get_by_text("Dismissed. The service says of the feedback: kept").wait_for()
    given = second.get_by_label("Reason").evaluate("one => one.value")
    assert page.evaluate("document.activeElement.className") == "became"
    until = time.monotonic() + 10
    while not (found := counted(address))["reasons"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert found["reasons"] == [given]
    assert (found["accepted"], found["overridden"]) == (1, 1)


def counted(address):
    """What the ledger counts at the hook of which only this test makes use."""
    with urlopen(f"{address}/insight.json?hook=encounter-discharge") as answer:
        insight = json.load(answer)
    return {
        "accepted": insight["total"]["accepted"],
        "overridden": insight["total"]["overridden"],
        "reasons": [one["code"] for one in insight["reasons"]],
    }


def test_feedback_that_is_not_taken_says_why(opened):
    page = opened()
    fire(page)
    card = page.locator("#cards .card").first
    card.evaluate("one => { one.dataset.card = ''; }")
    card.get_by_role("button", name="Accept").first.click()
    card.get_by_text("The feedback was not taken (HTTP 400): feedback[0].card").wait_for()


# ---- why


def test_why_and_why_not_are_filtered_and_searched_and_opened_from_a_card(opened):
    page = opened()
    page.locator(".more summary").click()
    page.check('input[value="observations"]')
    fire(page)
    for truth in ("met", "not met", "unknown"):
        assert page.locator("#why .truth", has_text=truth).count() > 0
    everything = page.locator(".why:visible").count()
    page.get_by_label("Unknown").check()
    assert 0 < page.locator(".why:visible").count() < everything
    page.get_by_label("All (").check()
    page.get_by_label("Search by id or words").fill("fd-rf")
    assert page.locator(".why:visible").count() == 6
    page.locator("#cards .card", has_text="FD-PT-01").get_by_text("Why this card").click()
    assert page.locator("#why-FD-PT-01").get_attribute("open") is not None
    assert page.locator(".why:visible").count() == everything
    assert page.locator("#why-FD-PT-01 .truth.met").first.is_visible()


# ---- what changes


def test_an_orthosis_in_use_silences_its_card_and_restoring_brings_it_back(opened):
    page = opened()
    page.select_option("#example", "")
    page.locator("#pasted").fill(bundle(patient(), foot_drop(), ORTHOSIS))
    fire(page)
    assert "FD-AFO-01" in topics(page)
    page.get_by_text("The resources of this record").click()
    page.get_by_label("Ankle-foot orthosis", exact=True).select_option("active")
    fire(page, "#change [type=submit]")
    assert "FD-AFO-01" not in topics(page)
    assert "gone FD-AFO-01" in page.locator("#differences").inner_text()
    assert "Device in use, on that side" in page.locator("#differences").inner_text()
    assert page.evaluate("document.activeElement.id") == "differences-title"
    fire(page, "#restore")
    assert "FD-AFO-01" in topics(page)
    assert "new FD-AFO-01" in page.locator("#differences").inner_text()


def test_a_key_that_is_not_sent_is_a_gap_and_no_absence(opened):
    page = opened()
    page.locator(".more summary").click()
    page.check('input[value="deviceUse"]')
    fire(page)
    assert "Not seen in this record: devices in use" in page.locator("#cards").inner_text()
    assert "devices in use: the record system did not send it" in page.locator("#cards .gaps").inner_text()
    page.check('input[value="conditions"]')
    page.check('input[value="patient"]')
    fire(page)
    assert "This is not “nothing to recommend”" in page.locator("#cards").inner_text()
    assert "patient (not sent)" in page.locator("#cards").inner_text()


def test_mistakes_in_the_knowledge_are_told_with_the_next_call(opened, cards):
    page = opened()
    file = cards / "recommendations" / "orthosis" / "offer-an-orthosis.yaml"
    said = file.read_text(encoding="utf-8")
    file.write_text(said.replace("indicator:", "indikator:"), encoding="utf-8")
    try:
        fire(page)
    finally:
        file.write_text(said, encoding="utf-8")
    assert "goes on answering with the knowledge from before" in page.locator("#problems").inner_text()
    assert "offer-an-orthosis.yaml:" in page.locator("#problems").inner_text()
    assert len(topics(page)) == 4
    fire(page)
    assert page.locator("#problems").inner_text() == ""


# ---- taking it along


@pytest.mark.parametrize(("name", "title"), [("curl", "As curl"), ("python", "As Python")])
def test_what_was_copied_runs_and_gets_the_same_cards(opened, name, title, tmp_path):
    if name == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    fire(page)
    page.get_by_text(title, exact=True).click()
    page.locator(f'[data-copy="{name}"]').click()
    page.get_by_text("Copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    command = ["sh", "-c", copied] if name == "curl" else [sys.executable, "-c", copied]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=20)
    assert [card["summary"] for card in json.loads(ran.stdout)["cards"]] == [
        card["summary"] for card in response_of(page)["cards"]
    ]


def test_the_sandbox_link_names_this_service_and_says_what_it_does_not_carry(opened):
    page = opened()
    fire(page)
    page.get_by_text("As a link to the CDS Hooks Sandbox").click()
    link = page.get_by_role("link", name=re.compile("sandbox")).get_attribute("href")
    assert link.startswith("https://sandbox.cds-hooks.org/?serviceDiscoveryURL=http%3A%2F%2F127.0.0.1")
    assert page.get_by_text("It carries no record of your own, no drafts").is_visible()


# ---- by keyboard


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(opened, width):
    page = opened(width)
    before = walk(page)
    assert {step["is"] for step in before} >= reachable(page)
    fire(page)
    page.locator("nav a").first.focus()
    page.keyboard.press("Shift+Tab")
    after = walk(page)
    assert {step["is"] for step in after} >= reachable(page)
    assert [step["what"] for step in before + after if step["outline"] < 2 or not step["seen"]] == []


def test_the_whole_journey_is_made_by_keyboard(opened):
    page = opened()

    def go_to(sought, key="Tab"):
        for _ in range(200):
            page.keyboard.press(key)
            if page.evaluate("sought => document.activeElement.matches(sought)", sought):
                return
        raise AssertionError(sought)

    go_to("#example")
    page.keyboard.type("After a stroke")
    go_to('input[name="hook"]')
    page.keyboard.press("ArrowDown")
    assert page.locator("#orders").is_visible()
    page.keyboard.press("ArrowUp")
    go_to("#fire")
    page.keyboard.press("Enter")
    arrived(page)
    go_to("[data-accept]")
    page.keyboard.press("Enter")
    page.get_by_text("Accepted. The service says").wait_for()
    go_to(".why summary")
    page.keyboard.press("Enter")
    go_to("#change summary", "Shift+Tab")
    page.keyboard.press("Enter")
    in_use = page.locator("#record li", has_text="DeviceUseStatement/").locator("select")
    go_to("#" + in_use.get_attribute("id"))
    page.keyboard.type("stopped")
    go_to("#change [type=submit]")
    page.keyboard.press("Enter")
    page.locator("#differences-part:not([hidden])").wait_for()
    arrived(page)
    assert "new FD-AFO-01" in page.locator("#differences").inner_text()
    assert page.evaluate("document.activeElement.id") == "differences-title"
