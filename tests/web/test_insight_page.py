"""`/insight`: what a reader finds there, and what a hostile code cannot do to it."""

import re
from urllib.parse import urlencode

import pytest

from cds_service.decision.insight import Filters
from tests.web import insight_world as figures
from tests.web.world import Page, outside_addresses


def text(answer):
    """What a reader reads, with plain spaces."""
    return Page(answer.text).text.replace("\xa0", " ")


def pictures(answer):
    """The text alternatives of the charts."""
    return [
        v.replace("\xa0", " ") for tag, name, v in Page(answer.text).attributes if (tag, name) == ("svg", "aria-label")
    ]


EVERYTHING = {
    "plausible": figures.plausible,
    "hostile": figures.hostile,
    "empty": figures.empty,
    "nothing selected": figures.nothing_selected,
}


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("by", ["recommendation", "week"])
def test_the_page_is_valid_and_fetches_and_runs_nothing(insight, name, by):
    answer = insight(f"/insight?by={by}", EVERYTHING[name])
    page = Page(answer.text)
    assert page.faults == []
    assert len(set(page.ids)) == len(page.ids)
    assert outside_addresses(answer.text) in ([], [("form", "insight")])
    assert {"script", "iframe", "object", "embed", "img", "base", "foreignobject", "use", "image"}.isdisjoint(page.tags)
    assert [one for one in page.attributes if one[1].startswith("on") or one[1] == "style"] == []
    assert "not been clinically approved" in page.text


def test_the_policy_lets_only_the_form_of_this_page_ask_and_only_here(insight):
    answer = insight()
    policy = answer.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert answer.headers["cache-control"] == "no-store"
    (inside,) = [
        value for _, name, value in Page(answer.text).attributes if name == "content" and "default-src" in value
    ]
    assert inside in policy


def test_the_other_pages_let_no_form_ask(client):
    assert "form-action 'none'" in client.get("/cards/FD-AFO-01").headers["content-security-policy"]


def test_the_start_page_leads_here(client):
    assert "insight" in Page(client.get("/").text).links


# ---- what it says


def test_the_tiles_say_how_much_there_was(insight):
    said = text(insight())
    for tile in (
        "Calls 3,285",
        "Cards returned 1,145 1,019 to clients that report",
        "Accepted 381 37 % (34 to 40 %)",
        "Overridden 219 21 % (19 to 24 %)",
        "Without feedback 419 41 % (38 to 44 %)",
        "Listed in a folded card 214",
        "Kept quiet 102",
        "In shadow 63",
    ):
        assert tile in said


def test_a_sentence_above_each_chart_says_what_it_shows(insight):
    said = text(insight())
    for sentence in (
        "Of 1,145 cards, 1,019 went to clients that report. Of these 37 % (34 to 40 %) were accepted and 21 % "
        "(19 to 24 %) overridden; of 41 % (38 to 44 %) nothing was reported.",
        "The largest group is FD-AFO-01 (Offer an ankle-foot orthosis when foot drop is untreated): 412 of 1,145 "
        "cards. Of those that went to clients that report, 41 % (36 to 46 %) were accepted.",
        "most, 148, in the week of 16 November 2026.",
        "Given most often: “\u2068Has an orthosis that is not recorded here\u2069”, for 61 of 219 overrides.",
        "Of 600 cards that were acted on, half were acted on within 5 minutes; the median lies between 1 minute "
        "and 5 minutes.",
        "Missing most often: \u2068orders and referrals\u2069, in 140 calls "
        "(\u2068the record system did not send it\u2069).",
        "Of 3,285 calls, 67 % ended as “\u2068complete without cards\u2069”.",
    ):
        assert sentence in said


def test_every_chart_has_its_figures_as_a_text_and_as_a_table(insight):
    answer = insight()
    page = Page(answer.text)
    drawn = [line for line in re.findall(r"<svg[^>]*>", answer.text) if 'aria-hidden="true"' not in line]
    assert drawn
    assert all('role="img"' in line and "aria-label=" in line for line in drawn)
    said = pictures(answer)
    counts = "152 accepted, 81 overridden, 138 without feedback, 41 to clients that never report"
    assert f"FD-AFO-01: 412 cards returned: {counts}" in said
    assert "FD-AFO-01: 41 % (36 to 46 %) accepted" in said
    assert any(one.startswith("Cards by week. week of 7 September 2026: 34 cards returned") for one in said)
    assert "1 minute to 5 minutes: 98 accepted, 41 overridden" in said
    assert page.tags.count("details") == 6
    assert page.tags.count("table") == 7


def test_the_name_of_a_long_course_says_that_it_tells_its_end(insight):
    def longer(filters):
        shown = figures.plausible(filters)
        return figures.replace(shown, weeks=(*shown.weeks, *shown.weeks))

    said = [one for one in pictures(insight(answer=longer)) if "by week" in one]
    assert [one.partition(".")[0] for one in said] == [
        "Cards by week, the last 12 of 24",
        "Share accepted by week, the last 12 of 24",
    ]


def test_without_feedback_is_never_called_ignored(insight):
    assert re.findall(r"[^.]*ignored[^.]*\.", text(insight())) == [" “Without feedback” does not mean ignored."]


def test_a_recommendation_has_its_title_and_leads_to_its_page(insight, client):
    answer = insight()
    assert "FD-PT-01 Physical therapy with gait and balance training also 61 in a folded card, 12 kept quiet" in text(
        answer
    )
    assert "cards/FD-PT-01" in Page(answer.text).links
    assert client.get("/cards/FD-PT-01").status_code == 200


def test_cards_of_clients_that_never_report_have_no_rate(insight):
    def silent(filters):
        tally = figures.Tally(returned=30)
        return figures.replace(figures.plausible(filters), total=tally, groups=(figures.Group("FD-AFO-01", tally),))

    said = text(insight(answer=silent))
    assert "30 cards went to clients that have never sent feedback: what became of them is not known." in said
    assert "no rate: no client here ever reported" in said
    assert "Accepted 0 no client here ever reported" in said


def test_an_empty_ledger_says_so_and_draws_nothing(insight):
    answer = insight(answer=figures.empty)
    assert "Nothing has been recorded yet." in text(answer)
    assert "svg" not in Page(answer.text).tags


def test_an_empty_selection_says_so_and_keeps_its_filters(insight):
    answer = insight("/insight?client=university-clinic&by=hook", figures.nothing_selected)
    assert "No call and no card is in this selection." in text(answer)
    assert "svg" not in Page(answer.text).tags
    assert 'value="university-clinic" selected' in answer.text
    assert "insight?by=hook" in Page(answer.text).links


def test_a_section_without_figures_says_so_in_a_sentence(insight):
    def calls_only(filters):
        return figures.replace(figures.nothing_selected(filters), outcomes=figures.plausible().outcomes)

    said = text(insight(answer=calls_only))
    for sentence in (
        "No recommendation was returned on a card of its own in this selection.",
        "No card is in this selection.",
        "No override was reported.",
        "No card was reported as acted on.",
        "No answer hung on data that could not be had.",
        "No version ran in shadow.",
    ):
        assert sentence in said


@pytest.mark.parametrize(
    ("delays", "sentence"),
    [
        ((60, 3, 2), "Of 5 cards that were acted on, half were acted on within 1 minute."),
        ((None, 1, 0), "Of 1 card that were acted on, half took more than 1 minute."),
    ],
)
def test_the_median_is_said_at_the_ends_too(insight, delays, sentence):
    at_most, accepted, overridden = delays
    rows = (figures.Delay(60, 0, 0), figures.Delay(None, accepted, overridden))
    if at_most:
        rows = (figures.Delay(at_most, accepted, overridden), figures.Delay(None, 0, 0))
    assert sentence in text(insight(answer=lambda filters: figures.replace(figures.plausible(filters), delays=rows)))


# ---- hostile codes


def test_a_hostile_code_is_shown_as_text_and_never_as_markup(insight):
    answer = insight(answer=figures.hostile)
    assert "<script" not in answer.text
    assert figures.HOSTILE in Page(answer.text).text
    assert {"\u202e", "\x1b"}.isdisjoint(Page(answer.text).text)
    assert figures.LONG in answer.text


@pytest.mark.parametrize("name", ["client", "hook", "recommendation", "version", "indicator"])
def test_a_hostile_filter_is_shown_as_text_and_stays_in_the_links(insight, name):
    query = urlencode({name: figures.HOSTILE})
    answer = insight(f"/insight?{query}")
    assert insight.figures.asked == [Filters(**{name: figures.HOSTILE})]
    assert "<script" not in answer.text
    assert f"insight.json?{query}&by=recommendation" in Page(answer.text).links
