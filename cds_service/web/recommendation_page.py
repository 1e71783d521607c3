"""The page of one recommendation: what a committee reads and signs, and what a card's source links to."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.knowledge.pages.content import (
    EvidenceContent,
    Line,
    RecommendationContent,
    StewardshipContent,
)
from cds_service.web import markdown
from cds_service.web.card import card_part
from cds_service.web.html import Child, Markup, join, slug, tag
from cds_service.web.orders import orders_part
from cds_service.web.parts import (
    brief,
    chips,
    citation,
    items,
    outside,
    page,
    pairs,
    section,
    table,
    tree,
    value_set_link,
)

_SECTIONS = (
    ("The card", "card"),
    ("When it appears", "when"),
    ("When it stays silent", "unless"),
    ("How urgent", "indicator"),
    ("Points in time", "moments"),
    ("Thresholds", "thresholds"),
    ("Patient data it needs", "needs"),
    ("Orders it offers", "orders"),
    ("Evidence", "evidence"),
    ("Seed statements", "seed"),
    ("Cases", "cases"),
    ("Source attributes", "attributes"),
    ("Stewardship", "stewardship"),
    ("Sign-off", "sign-off"),
)
_TITLES = {anchor: title for title, anchor in _SECTIONS}


def recommendation_page(it: RecommendationContent) -> str:
    """The whole page."""
    contents = tag("ul", *(tag("li", tag("a", t, href=f"#{a}")) for t, a in _SECTIONS), class_="contents")
    body: list[Child] = [
        *_head(it),
        contents,
        _section("card", *card_part(it)),
        _section("when", *_when(it)),
        _section("unless", *_unless(it)),
        _section("indicator", *_indicator(it), _definitions(it)),
        _section("moments", *_moments(it)),
        _section("thresholds", *_thresholds(it)),
        _section("needs", *_needs(it)),
        _section("orders", *orders_part(it)),
        _section("evidence", *_evidence(it)),
        _section("seed", *_seed(it)),
        _section("cases", *_cases(it)),
        _section("attributes", *_attributes(it)),
        _section("stewardship", _stewardship(it.stewardship)),
        _section("sign-off", *_sign_off(it)),
    ]
    about = f"{it.id} version {it.stewardship.version}, knowledge {it.stamp.fingerprint}, {it.stamp.date.isoformat()}."
    return page(f"{it.id} {it.title}", body, about=about)


def _section(anchor: str, *children: Child) -> Markup:
    return section(_TITLES[anchor], *children, anchor=anchor)


def _head(it: RecommendationContent) -> Iterator[Child]:
    yield tag("p", f"{it.id} · {it.group}", class_="id")
    yield tag("h1", it.title)
    yield chips(
        [
            (it.indicator, it.indicator),
            *((f"up to {raised.indicator}", raised.indicator) for raised in it.raised),
            (it.sort, ""),
            (f"status: {it.stewardship.status}", ""),
            (f"version {it.stewardship.version}", ""),
            *([("review is overdue", "overdue")] if it.stewardship.review_is_overdue else []),
        ]
    )
    if it.stewardship.review_is_overdue and it.stewardship.next_review:
        words = f"Review is overdue: it was due on {it.stewardship.next_review.isoformat()}."
        yield tag("p", words, class_="overdue")
    yield tag("p", f"Judged for {it.judged_for}. Speaks at: {'; '.join(it.moments_of_work)}.", class_="lead")


# ---- when, when not, how urgent


def _when(it: RecommendationContent) -> Iterator[Child]:
    yield tag(
        "p",
        f"Judged for {it.judged_for}. It applies when all of the following hold. Where a line does not say ",
        tag("q", "on that side"),
        ", a record of either side counts; a record that names no side counts for both. Periods are calendar days, the "
        "last day included. Underlined words lead to the codes, thresholds and points in time behind them.",
        class_="lead",
    )
    yield tree(it.when) if it.when else tag("p", "Nothing else is asked.")


def _unless(it: RecommendationContent) -> Iterator[Child]:
    if it.unless:
        yield tag("p", "It is silent when any of the following holds.", class_="lead")
        yield tree(it.unless)
        if it.when_exclusion_unknown == "show":
            yield tag("p", "Where one of these cannot be decided, the card is shown all the same, with this sentence:")
            slots = [slot.name for slot in it.card.slots]
            yield tag("blockquote", markdown.render(it.caveat, slots))
        else:
            yield tag("p", "Where one of these cannot be decided, the card is withheld.")
    else:
        yield tag("p", "It has no exclusions of its own.", class_="lead")
    yield tag("h3", "Gates that silence it")
    yield tree(it.gates)


def _indicator(it: RecommendationContent) -> Iterator[Child]:
    yield tag("p", "The card is ", tag("b", it.indicator), " unless raised." if it.raised else ". Nothing raises it.")
    for raised in it.raised:
        yield tag("h3", f"Raised to {raised.indicator} when any of these holds")
        yield tree(raised.when)


def _definitions(it: RecommendationContent) -> Child:
    if not it.definitions:
        return None
    words = "Named only by the words of the card and the reasons of its orders: they do not decide whether it appears."
    return join([tag("h3", "Other definitions"), tag("p", words, class_="quiet"), tree(it.definitions)])


def _moments(it: RecommendationContent) -> Iterator[Child]:
    if not it.moments:
        yield tag("p", "The criteria speak of none.", class_="lead")
    for moment in it.moments:
        yield tag("h3", moment.name, id=f"moment-{slug(moment.name)}")
        yield tag("p", moment.says, " Found by the first of these that knows a date:" if moment.found_by else None)
        yield _numbered(moment.found_by)
        if moment.look_back:
            yield tag("p", f"Where it is not on record, a look-back reaches {moment.look_back}.")


def _numbered(lines: tuple[Line, ...]) -> Child:
    return items((brief([line]) for line in lines), "ol") if lines else None


def _thresholds(it: RecommendationContent) -> Iterator[Child]:
    if not it.parameters:
        yield tag("p", "The criteria use none.", class_="lead")
        return
    rows = (
        (
            tag("td", p.name, id=f"parameter-{slug(p.name)}"),
            tag("span", p.value, class_="nowrap"),
            p.means,
            citation(p.citation),
            tag("span", p.date.isoformat(), class_="nowrap"),
        )
        for p in it.parameters
    )
    yield table(("Threshold", "Value", "Meaning", "Citation", "Date"), rows)


def _needs(it: RecommendationContent) -> Iterator[Child]:
    rows = ((need.words, ", ".join(need.decides), need.when_not_read) for need in it.needs)
    yield table(("Kind of data", "Decides", "Where it cannot be read"), rows)
    yield tag(
        "p",
        "A kind of data that could not be read is never taken for absent. Where an answer hangs on it and something "
        "known says that the call concerns this service, a card names it. Without the patient details, or without the "
        "diagnoses while nothing else concerns this service, the call is refused instead of answered with silence.",
        class_="quiet",
    )
    if it.not_coded:
        yield tag("h3", "Not recognised in every code system")
        lines = (join([value_set_link(name), f": {'; '.join(wanted)}"]) for name, wanted in it.not_coded.items())
        yield items(lines, class_="quiet")


# ---- what it rests on


def _evidence(it: RecommendationContent) -> Iterator[Child]:
    yield tag("p", tag("b", "Strength (own appraisal): "), it.strength)
    yield tag("ol", *(tag("li", *source_lines(source), id=slug(source.id)) for source in it.evidence), class_="sources")


def source_lines(source: EvidenceContent) -> Iterator[Child]:
    """A source: citation, what it says, how good it is, how it was seen, where it ends."""
    yield tag("b", source.id)
    yield outside(source.citation, source.url)
    yield tag("p", source.says)
    limits = f" Limits: {source.limits}" if source.limits else ""
    words = f"{source.kind}; quality {source.quality} (own appraisal, not formal GRADE); seen: {source.seen}.{limits}"
    yield tag("p", words[0].upper() + words[1:], class_="quiet")


def _seed(it: RecommendationContent) -> Iterator[Child]:
    if not it.seed_statements:
        yield tag("p", "None: it was added for safety.", class_="lead")
        return
    rows = ((s.id, s.says, ", ".join(s.classes), s.caveat) for s in it.seed_statements)
    yield table(("Statement", "In our words", "Kind", "Caveat"), rows)


def _cases(it: RecommendationContent) -> Iterator[Child]:
    if not it.cases:
        yield tag("p", "No case is told about it.", class_="lead")
        return
    shown = sum(case.expected in ("info", "warning", "critical") for case in it.cases)
    yield tag(
        "p",
        f"{len(it.cases)} patients in plain words: it speaks to {shown} and is silent on the others.",
        class_="lead",
    )
    rows = (
        (
            case.case,
            tag("span", case.hook, class_="nowrap"),
            join([tag("b", case.expected), f": {case.because}" if case.because else None]),
        )
        for case in it.cases
    )
    yield table(("Patient", "Hook", "Expected"), rows)


def _attributes(it: RecommendationContent) -> Iterator[Child]:
    yield tag("p", tag("b", it.attributes_title))
    yield tag("p", it.attributes_note, class_="lead")
    rows = ((a.says, items(a.answer) if len(a.answer) > 1 else "".join(a.answer)) for a in it.attributes)
    yield table(("Attribute", "Answer"), rows)


def _stewardship(it: StewardshipContent) -> Markup:
    def day(value: object, otherwise: str) -> str:
        return str(value) if value else otherwise

    overdue = tag("span", " review is overdue", class_="chip overdue") if it.review_is_overdue else None
    return pairs(
        [
            ("Status", f"{it.status}, version {it.version}"),
            ("Author", it.author),
            ("Reviewers", ", ".join(it.reviewers) or "none yet"),
            ("Approved", day(it.approval_date, "not approved")),
            ("Last reviewed", day(it.last_review_date, "not yet")),
            ("Next review", join([day(it.next_review, "no date"), overdue])),
            ("In effect from", day(it.effective_from, "no date set")),
            ("In effect until", day(it.effective_to, "no date set")),
        ]
    )


def _sign_off(it: RecommendationContent) -> Iterator[Child]:
    words = f"{it.id} version {it.stewardship.version}, knowledge fingerprint "
    yield tag("p", words, tag("code", it.stamp.fingerprint), f", page of {it.stamp.date.isoformat()}.")
    yield tag("p", "The fingerprint changes when anything that decides changes; a signature holds for this one only.")
    heads = ("Name", "Role", "Approved, with changes, rejected", "Date", "Signature")
    head = tag("tr", *(tag("th", words, scope="col") for words in heads))
    rows = (tag("tr", *(tag("td") for _ in heads)) for _ in range(3))
    yield tag("table", tag("thead", head), tag("tbody", *rows), class_="sign signature")
