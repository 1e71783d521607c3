"""Pages are whole, safe and self-contained, whatever the knowledge holds."""

import re

import pytest

from cds_service.web import markdown
from cds_service.web.html import Markup, is_harmless, join, slug, tag
from cds_service.web.pages import CONTENT_SECURITY_POLICY, start_page
from tests.web.world import Page, changed, html_of, knowledge, outside_addresses, read, written

HTML = sorted(name for name in written() if name.endswith(".html"))
HOSTILE = '<img src=x onerror=alert(1)> & \\"quoted\\" </style><script>alert(2)</script>'


@pytest.mark.parametrize("name", HTML)
def test_a_page_is_valid(name):
    page = read(name)
    assert page.faults == []
    assert len(set(page.ids)) == len(page.ids)
    assert written()[name].body.startswith('<!doctype html>\n<html lang="en">')


@pytest.mark.parametrize("name", HTML)
def test_a_page_fetches_nothing_and_runs_nothing(name):
    body = written()[name].body
    page = read(name)
    assert outside_addresses(body) == []
    assert {"script", "iframe", "object", "embed", "img", "form", "base"}.isdisjoint(page.tags)
    assert [a for a in page.attributes if a[1].startswith("on") or a[1] == "style"] == []


def test_every_link_between_pages_leads_somewhere():
    ids = {name: set(read(name).ids) for name in HTML}
    for name in HTML:
        for link in read(name).links:
            if link.startswith(("http://", "https://")):
                continue
            target, _, anchor = link.partition("#")
            target = target or name
            assert target in ids, (name, link)
            assert not anchor or anchor in ids[target], (name, link)


def test_the_policy_of_a_page_is_that_of_the_service():
    policy = {a[1]: a[2] for a in read("index.html").attributes if a[0] == "meta"}["content"]
    assert policy in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_the_first_page_is_valid_and_links_to_every_card():
    page = Page(start_page(knowledge()))
    assert page.faults == []
    assert {f"/cards/{r.id}" for r in knowledge().recommendations} <= set(page.links)


def test_hostile_text_in_the_knowledge_stays_text(tmp_path):
    file = "recommendations/rehabilitation/physical-therapy.yaml"
    changes = {
        "title": (file, "title: Physical therapy with gait and balance training", f'title: "{HOSTILE}"'),
        "strength": (file, 'strength: "After stroke', f'strength: "{HOSTILE} After stroke'),
        "says": (
            "definitions.yaml",
            "    says: >-\n      An active foot-drop problem",
            f"    says: >-\n      {HOSTILE}",
        ),
        "evidence": ("evidence.yaml", '  says: "Localise foot drop', f'  says: "{HOSTILE} Localise foot drop'),
        "seed": (
            "seed_statements.yaml",
            "    says: Begin physical therapy",
            f"    says: {HOSTILE.replace('&', 'and')}",
        ),
        "value set": ("value_sets/foot-drop.yaml", "title: Foot drop", f"title: {HOSTILE.replace('&', 'and')}"),
        "parameter": ("parameters.yaml", 'means: "Normal ankle', f'means: "{HOSTILE} Normal ankle'),
    }
    pages = changed(tmp_path, **changes)
    for name in ("FD-PT-01", "FD-ETIO-01", "index", "value-set-foot-drop"):
        page = html_of(pages, name)
        assert page.faults == []
        assert {"script", "img"}.isdisjoint(page.tags)
        assert page.tags.count("style") == 1
        assert "onerror=alert(1)" in page.text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "<p>plain</p>"),
        ("**bold** and *slanted*", "<p><strong>bold</strong> and <em>slanted</em></p>"),
        ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
        ("- one\n- two", "<ul><li>one</li><li>two</li></ul>"),
        ("one\n\ntwo", "<p>one</p><p>two</p>"),
        ("<b>no</b>", "<p>&lt;b&gt;no&lt;/b&gt;</p>"),
        ("&lt;b&gt; &amp; more", "<p>&lt;b&gt; &amp; more</p>"),
        (r"2026\-05\-03 \*not\*", "<p>2026-05-03 *not*</p>"),
        (
            "[seen](https://a.org/x?y=1&z=2)",
            '<p><a href="https://a.org/x?y=1&amp;z=2" rel="noopener noreferrer">seen</a></p>',
        ),
        ("[bad](javascript:alert)", "<p>bad</p>"),
        ("[side] and [other]", '<p><span class="slot">[side]</span> and [other]</p>'),
        ("**Found:** [side]", '<p><strong>Found:</strong> <span class="slot">[side]</span></p>'),
        ("", ""),
    ],
)
def test_markdown_becomes_harmless_html(text, html):
    assert markdown.render(text, ["side"]) == html


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "<", Markup("<b>x</b>"), None, title='"') == '<p title="&quot;">&lt;<b>x</b></p>'
    assert join(["a", "<"], " & ") == "a &amp; &lt;"
    assert tag("details", open=True, hidden=False, id=None) == "<details open></details>"


@pytest.mark.parametrize(
    ("address", "harmless"),
    [
        ("https://doi.org/10.1/x", True),
        ("FD-AFO-01.html", True),
        ("#card", True),
        ("/cards/x", True),
        ("javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False),
        ("data:text/html,x", False),
        (" javascript:alert(1)", False),
        ("vbscript:x", False),
    ],
)
def test_an_address_that_could_run_something_is_no_link(address, harmless):
    assert is_harmless(address) is harmless
    assert ("href" in tag("a", "x", href=address)) is harmless


def test_a_slug_is_fit_for_a_file_and_an_address():
    assert slug("10-g monofilament") == "10-g-monofilament"
    assert slug("Charcot-Marie-Tooth disease, any") == "charcot-marie-tooth-disease-any"


def test_dark_light_and_print_are_all_cared_for():
    style = read("index.html").style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert re.search(r"color-scheme:\s*light dark", style)
