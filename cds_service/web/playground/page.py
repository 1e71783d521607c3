"""The page of the playground: what is asked on one side, what is answered on the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from cds_service.examples import Example
from cds_service.knowledge.knowledge import Knowledge
from cds_service.web.html import Child, Markup, tag
from cds_service.web.parts import CONTENT_SECURITY_POLICY, NOT_APPROVED, items
from cds_service.web.playground import words
from cds_service.web.playground.cards import code_block
from cds_service.web.playground.words import LABELS

POLICY: Final = CONTENT_SECURITY_POLICY.replace(
    "style-src 'unsafe-inline'",
    "script-src 'self'; style-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; "
    "trusted-types playground",
)
"""As for every page, but for its own script and style, and for what its script asks of this service."""
_HOME: Final = "playground/"


def playground_page(knowledge: Knowledge, examples: Sequence[Example], problems: Sequence[str]) -> str:
    """The whole page, before anything is asked."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", LABELS["title"].format(name=words.TITLE)),
        tag("link", rel="stylesheet", href=f"{_HOME}playground.css"),
        Markup(f'<script type="module" src="{_HOME}playground.js"></script>'),
    )
    links = (tag("a", text, href=to) for to, text in words.TOP_LINKS)
    body = tag(
        "body",
        tag("header", tag("p", NOT_APPROVED, class_="draft")),
        tag("nav", *links, class_="top", aria_label=LABELS["pages"]),
        tag("main", *_main(knowledge, examples, problems), class_="playground"),
        tag("footer", tag("p", words.NOTES), tag("p", LABELS["fingerprint"], tag("code", knowledge.fingerprint))),
        _block("words", words.SCRIPT),
        _draft_row(),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def problems_part(problems: Sequence[str]) -> Markup:
    """What is wrong with the knowledge on disk; nothing where it is fine."""
    if not problems:
        return Markup("")
    return tag("div", tag("p", tag("b", words.BROKEN)), items(tag("code", one) for one in problems), class_="broken")


def _block(name: str, data: Mapping[str, str]) -> Markup:
    """Data for the script, which the browser does not run; nothing in it can end the block."""
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return Markup(f'<script type="application/json" id="{name}">{text}</script>')


def _main(knowledge: Knowledge, examples: Sequence[Example], problems: Sequence[str]) -> Iterator[Child]:
    yield tag("h1", words.TITLE)
    yield tag("p", words.LEAD, class_="lead")
    yield tag("noscript", tag("p", words.NO_SCRIPT, class_="broken"))
    yield tag("div", problems_part(problems), id="problems", role="status")
    yield tag("div", _question(knowledge, examples), _answer(), class_="bench")


# ---- what is asked


def _question(knowledge: Knowledge, examples: Sequence[Example]) -> Markup:
    form = tag(
        "form",
        tag("h2", LABELS["call"], id="the-call"),
        _patient(examples),
        _hooks(knowledge),
        _orders(knowledge),
        _more(knowledge),
        tag("button", LABELS["fire"], type="submit", id="fire", class_="primary"),
        tag("p", role="status", id="status"),
        id="ask",
        aria_labelledby="the-call",
    )
    record = tag(
        "details",
        tag("summary", LABELS["resources"]),
        tag("div", id="record"),
        tag(
            "p",
            tag("button", LABELS["fire again"], type="submit", class_="primary"),
            tag("button", LABELS["restore"], type="button", id="restore"),
            class_="buttons",
        ),
    )
    told = tag("p", words.CHANGING, class_="quiet")
    heading = tag("h2", LABELS["change"], id="change-a-fact")
    change = tag("form", heading, told, record, id="change", hidden=True, aria_labelledby="change-a-fact")
    return tag("div", form, change, class_="question")


def _patient(examples: Sequence[Example]) -> Markup:
    groups = (
        tag(
            "optgroup",
            *(tag("option", one.title, value=one.name, data_about=one.about) for one in those),
            label=words.SHOWS.get(shows, shows),
        )
        for shows, those in groupby(sorted(examples, key=lambda one: _place(one, examples)), lambda one: one.shows)
    )
    own = tag("optgroup", tag("option", words.OWN_RECORD, value=""), label=words.OWN)
    about = examples[0].about if examples else ""
    pasted = tag(
        "div",
        tag("label", words.PASTE, for_="pasted"),
        tag("textarea", id="pasted", rows="6", spellcheck="false", autocomplete="off", autocapitalize="off"),
        tag("label", words.FILE, for_="file"),
        tag("input", type="file", id="file", accept=".json,application/json,application/fhir+json"),
        tag("p", words.DROP, class_="quiet"),
        id="own",
        class_="field",
        hidden=True,
    )
    return tag(
        "div",
        tag("label", LABELS["patient"], for_="example"),
        tag("select", *groups, own, id="example"),
        tag("p", about, id="about", class_="quiet"),
        pasted,
        class_="field",
    )


def _place(one: Example, examples: Sequence[Example]) -> int:
    """Where the group of an example begins: groups stand in the order in which the index first names them."""
    return next(at for at, other in enumerate(examples) if other.shows == one.shows)


def _hooks(knowledge: Knowledge) -> Markup:
    choices = (
        tag(
            "label",
            tag("input", type="radio", name="hook", value=service.hook, checked=at == 0),
            tag("span", words.HOOKS.get(service.hook, service.title), " ", tag("code", service.hook)),
        )
        for at, service in enumerate(knowledge.services)
    )
    return tag("fieldset", tag("legend", LABELS["hook"]), *choices)


def _orders(knowledge: Knowledge) -> Markup:
    orderables = sorted(knowledge.names.orderables.values(), key=lambda one: one.text.casefold())
    options = (tag("option", one.text, value=one.name, data_sided=one.sided) for one in orderables)
    sides = (tag("option", text, value=name) for name, text in words.SIDES.items())
    return tag(
        "fieldset",
        tag("legend", LABELS["drafts"]),
        tag("p", words.DRAFTS, class_="quiet"),
        tag(
            "div",
            tag("label", LABELS["order"], for_="orderable"),
            tag("select", *options, id="orderable"),
            class_="field",
        ),
        tag(
            "div",
            tag("label", LABELS["side"], for_="side"),
            tag("select", *sides, id="side"),
            class_="field",
            id="sides",
        ),
        tag("button", LABELS["add"], type="button", id="add"),
        tag("ul", id="drafts", class_="drafts"),
        id="orders",
        hidden=True,
    )


def _draft_row() -> Markup:
    row = tag(
        "li",
        tag("span", class_="what"),
        tag("label", tag("input", type="checkbox", checked=True), LABELS["selected"], class_="selected"),
        tag("button", LABELS["take away"], type="button"),
    )
    return tag("template", tag("ul", row), id="draft-row")


def _more(knowledge: Knowledge) -> Markup:
    users = (tag("option", text, value=kind) for kind, text in words.USERS.items())
    needs = ((need.key, need.words) for need in knowledge.vocabulary.needs.values())
    keys = (
        tag(
            "label",
            tag("input", type="checkbox", name="unsent", value=key),
            tag("span", text, " ", tag("code", key)),
        )
        for key, text in needs
    )
    user = tag("div", tag("label", LABELS["user"], for_="user"), tag("select", *users, id="user"), class_="field")
    box = tag("label", tag("input", type="checkbox", id="new-patient"), tag("span", words.NEW_PATIENT))
    new = tag("fieldset", tag("legend", LABELS["about"]), box)
    unsent = tag("fieldset", tag("legend", LABELS["unsent"]), tag("p", words.UNSENT, class_="quiet"), *keys)
    return tag(
        "details",
        tag("summary", LABELS["more"]),
        user,
        new,
        unsent,
        class_="more",
    )


# ---- what is answered


def _answer() -> Markup:
    empty = tag("div", tag("p", words.BEFORE), items(words.STEPS, "ol"), id="empty", class_="empty")
    failure = tag("div", tag("p"), id="failure", class_="instead refused", tabindex="-1", hidden=True)
    parts = tag(
        "div",
        tag("p", *_ways(), class_="ways"),
        _part("differences", LABELS["changed"], hidden=True),
        _part("cards", LABELS["answer"]),
        _part("why", LABELS["why"]),
        _part("timeline", LABELS["timeline"]),
        _exchange(),
        _copies(),
        id="parts",
        hidden=True,
    )
    return tag("div", empty, failure, parts, class_="answer")


def _ways() -> Iterator[Child]:
    for name, text in words.WAYS.items():
        yield tag("a", text, href=f"#{name}-title")


def _part(name: str, title: str, *, hidden: bool = False) -> Markup:
    heading = tag("h2", title, id=f"{name}-title", tabindex="-1")
    return tag(
        "section", heading, tag("div", id=name), id=f"{name}-part", hidden=hidden, aria_labelledby=f"{name}-title"
    )


def _exchange() -> Markup:
    sent = tag("p", tag("code", id="sent-to"), class_="quiet")
    request = tag("details", tag("summary", LABELS["sent"]), sent, _code("request", LABELS["request"]))
    came = tag("p", id="came-with", class_="quiet")
    response = tag("details", tag("summary", LABELS["came"]), came, _code("response", LABELS["response"]))
    return tag(
        "section",
        tag("h2", LABELS["wire"], id="wire-title", tabindex="-1"),
        request,
        response,
        aria_labelledby="wire-title",
    )


def _copies() -> Markup:
    sandbox = tag("a", id="sandbox-link", rel="noopener noreferrer", target="_blank", href="#")
    return tag(
        "section",
        tag("h2", LABELS["copy"], id="copy-title", tabindex="-1"),
        _copy("curl", LABELS["curl"]),
        _copy("python", LABELS["python"]),
        tag(
            "details",
            tag("summary", LABELS["sandbox"]),
            tag("p", words.SANDBOX),
            tag("p", sandbox, class_="address"),
            _button("sandbox"),
        ),
        tag("p", role="status", id="copied"),
        aria_labelledby="copy-title",
    )


def _copy(name: str, title: str) -> Markup:
    return tag("details", tag("summary", title), _button(name), _code(name, title))


def _button(name: str) -> Markup:
    return tag("p", tag("button", LABELS["copy it"], type="button", data_copy=name))


def _code(name: str, title: str) -> Markup:
    return code_block("", title, name)
