"""One recommendation → everything that its page says."""

from __future__ import annotations

import datetime as dt
import re
import string
from collections.abc import Iterable, Iterator, Mapping

from cds_service.domain.codes import Coding
from cds_service.domain.recommendations import (
    Offer,
    OfferedAction,
    OfferedSuggestion,
    PlannedDate,
    Recommendation,
    Slot,
    SlotSource,
    Stewardship,
)
from cds_service.domain.situation import Criterion
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages import content
from cds_service.knowledge.pages.attributes import attributes_of
from cds_service.knowledge.pages.needs import needs_of
from cds_service.knowledge.pages.overview import evidence_content, parameter_content, seed_content
from cds_service.knowledge.pages.wording import Wording

BUILT_IN_SLOTS = {
    "side": "the side or sides for which the card stands",
    "found": "the records that decided it: name, side, date",
    "draft": "the order being judged",
    "missing": "what could not be read",
}
_SHOWS = {
    SlotSource.FACT_DATE: "date: ",
    SlotSource.FACT_VALUE: "value: ",
    SlotSource.FACT_DISPLAY: "name: ",
    SlotSource.DAYS_AGO: "days since ",
}
_DOES = {
    Offer.CREATE: "new order",
    Offer.UPDATE_DRAFT: "changes the order being made",
    Offer.DELETE_DRAFT: "takes back the order being made",
}
_SLOT = re.compile(r"\{([^{}]+)\}")


def bracketed(template: str, fixed: Mapping[str, str]) -> str:
    """A template as people read it: slots in square brackets, those with a fixed text filled."""
    parts = string.Formatter().parse(template)
    return "".join(text + (fixed.get(name, f"[{name}]") if name is not None else "") for text, name, _, _ in parts)


def content_of(
    recommendation: Recommendation, knowledge: Knowledge, stamp: content.Stamp, exhibits: content.Exhibits
) -> content.RecommendationContent:
    """The whole page. ``stamp`` holds the day on which it is shown."""
    return _Builder(recommendation, knowledge, stamp, exhibits).build()


class _Builder:
    def __init__(
        self,
        recommendation: Recommendation,
        knowledge: Knowledge,
        stamp: content.Stamp,
        exhibits: content.Exhibits,
    ) -> None:
        self.it = recommendation
        self.knowledge = knowledge
        self.stamp = stamp
        self.exhibits = exhibits
        self.wording = Wording(knowledge)
        self.fixed = {name: slot.fixed for name, slot in recommendation.slots.items() if slot.fixed}

    def build(self) -> content.RecommendationContent:
        it, knowledge = self.it, self.knowledge
        hooks = {s.hook: s.title for s in knowledge.services}
        # in the order of the page: a definition is unfolded where it is first named
        when = self.wording.lines(it.when.parts())
        unless = self.wording.lines(e.criterion for e in it.unless)
        gates = self.wording.lines(it.gates)
        raised = tuple(content.Raised(level.value, self._any(criterion)) for level, criterion in it.raised_when)
        self.wording.only_names = True
        card = self._card()
        definitions = self.wording.rest()
        moments = self.wording.moments()
        return content.RecommendationContent(
            stamp=self.stamp,
            id=it.id,
            title=it.title,
            group=group_title(it.group, knowledge),
            sort=it.sort.value,
            moments_of_work=tuple(title for hook, title in hooks.items() if hook in it.hooks),
            judged_for=it.for_each.text if it.for_each else "the patient as a whole",
            card=card,
            example=self.exhibits.example_of(it.id),
            when=when,
            unless=unless,
            gates=gates,
            when_exclusion_unknown=_when_unknown(it),
            caveat=self._text(next((e.caveat for e in it.unless if e.caveat), "")),
            indicator=it.indicator.value,
            raised=raised,
            definitions=definitions,
            moments=moments,
            parameters=tuple(parameter_content(name, knowledge) for name in self.wording.used.parameters),
            needs=needs_of(it, knowledge),
            strength=it.strength,
            evidence=tuple(evidence_content(name, knowledge) for name in it.evidence),
            seed_statements=tuple(seed_content(name, knowledge) for name in it.seed_statements),
            not_coded=self._not_coded(),
            cases=self.exhibits.cases_of(it.id),
            attributes_title=knowledge.source_attributes.title,
            attributes_note=knowledge.source_attributes.note,
            attributes=attributes_of(it, knowledge),
            stewardship=stewardship_of(it.stewardship, self.stamp.date),
        )

    def _text(self, template: str) -> str:
        return bracketed(template, self.fixed)

    def _any(self, criterion: Criterion) -> tuple[content.Line, ...]:
        return self.wording.lines(criterion.parts()) or (self.wording.line(criterion),)

    def _not_coded(self) -> dict[str, tuple[str, ...]]:
        """What was wanted and not found, of the value sets this page names."""
        sets = self.knowledge.names.value_sets
        return {
            name: tuple(f"{wanted.system}: {wanted.wanted}" for wanted in sets[name].not_coded)
            for name in self.wording.used.value_sets
            if name in sets and sets[name].not_coded
        }

    # ---- the card

    def _card(self) -> content.CardContent:
        it = self.it
        return content.CardContent(
            title=it.title,
            summary=self._text(it.summary),
            detail=tuple(content.Conditional(self._text(text.template), self._when(text.when)) for text in it.detail),
            slots=tuple(self._slots()),
            suggestions=tuple(self._suggestion(s) for s in it.suggestions),
            at_most_one=not it.select_any,
            override_reasons=tuple(self._override_reason(reason) for reason in it.override_reasons),
            links=it.links,
            source=self.knowledge.words.source.label,
        )

    def _override_reason(self, reason: Coding) -> content.OverrideReasonContent:
        code, rules = self._code(reason), self.knowledge.corrections
        asked = rules.to_record.get((reason.system, reason.code)) if rules.hooks & self.it.hooks else None
        to_record = asked.what.format(advice=self.it.title) if asked else ""
        return content.OverrideReasonContent(code.system, code.code, code.display, to_record)

    def _when(self, criterion: Criterion | None) -> tuple[content.Line, ...]:
        return () if criterion is None else self._any(criterion)

    def _slots(self) -> Iterator[content.SlotContent]:
        it = self.it
        templates = [it.summary, *(t.template for t in it.detail), *(s.label for s in it.suggestions)]
        templates += [e.caveat for e in it.unless]
        used = dict.fromkeys(name for template in templates for name in _SLOT.findall(template))
        for name in used:
            if name in self.fixed:
                self.wording.used.parameter(self.knowledge.names.written[id(it.slots[name])][1].parameter)
            elif name in it.slots:
                yield self._slot(it.slots[name])
            elif name in BUILT_IN_SLOTS:
                yield content.SlotContent(name, (content.Line((content.Span(BUILT_IN_SLOTS[name]),)),))

    def _slot(self, slot: Slot) -> content.SlotContent:
        _, entry = self.knowledge.names.written[id(slot)]
        used = self.wording.used
        if slot.criterion is not None:
            of = content.Line((content.Span(_SHOWS[slot.shows]),), parts=(self.wording.line(slot.criterion),))
        elif entry.days_since:
            of = content.Line((content.Span(_SHOWS[slot.shows]), used.moment(entry.days_since)))
        else:
            of = content.Line((content.Span(_SHOWS[slot.shows]), *used.date(entry.date)))
        return content.SlotContent(slot.name, (of,), slot.otherwise)

    # ---- orders

    def _suggestion(self, offered: OfferedSuggestion) -> content.SuggestionContent:
        return content.SuggestionContent(
            label=self._text(offered.label),
            recommended=offered.recommended,
            actions=tuple(self._action(action) for action in offered.actions),
            when=self._when(offered.when),
            unsettled_because=offered.unsettled_because or self.it.notes.get("accepting does not settle", ""),
        )

    def _action(self, action: OfferedAction) -> content.ActionContent:
        orderable = action.orderable or action.new_code
        priority = action.priority.name.lower() if action.offer is Offer.CREATE else ""
        if action.new_priority is not None:
            priority = action.new_priority.name.lower()
        return content.ActionContent(
            does=_DOES[action.offer] + (", puts it on hold" if action.on_hold else ""),
            description=self._text(action.description),
            order=orderable.text if orderable else (", ".join(action.of_drafts)),
            resource=orderable.resource if orderable else "",
            codings=self._codings(orderable.codings if orderable else ()),
            category=self._code(orderable.category) if orderable and orderable.category else None,
            body_site=self._code(orderable.body_site) if orderable and orderable.body_site else None,
            priority=priority,
            planned=self._planned(action.planned) if action.planned else None,
            reason=self._reason(action),
            names_the_side=bool(orderable and orderable.sided and action.offer is Offer.CREATE),
        )

    def _reason(self, action: OfferedAction) -> tuple[content.Line, ...]:
        if action.add_reason is not None:
            return (content.Line((content.Span(f"adds the reason: {action.add_reason.display}"),)),)
        return (self.wording.line(action.reason),) if action.reason is not None else ()

    def _planned(self, planned: PlannedDate) -> content.Line:
        _, entry = self.knowledge.names.written[id(planned)]
        return content.Line(tuple(self.wording.used.date(entry)))

    def _codings(self, codings: Iterable[Coding]) -> tuple[content.CodeContent, ...]:
        return tuple(self._code(coding) for coding in codings)

    def _code(self, coding: Coding) -> content.CodeContent:
        names = {system.uri: name for name, system in self.knowledge.names.systems.items()}
        return content.CodeContent(names.get(coding.system, coding.system), coding.code, coding.display)


def group_title(group: str, knowledge: Knowledge) -> str:
    """A group's title as ``services.yaml`` gives it, else the folder's name."""
    return knowledge.words.groups.get(group) or group.replace("-", " ").capitalize()


def _when_unknown(recommendation: Recommendation) -> str:
    """What happens where an exclusion cannot be decided: "show", "withhold", or nothing to exclude."""
    if not recommendation.unless:
        return ""
    return "show" if any(e.show_when_unknown for e in recommendation.unless) else "withhold"


def stewardship_of(it: Stewardship, today: dt.date) -> content.StewardshipContent:
    """Status and review on a day."""
    return content.StewardshipContent(
        status=it.status,
        version=it.version,
        author=it.author,
        reviewers=it.reviewers,
        approval_date=it.approval_date,
        last_review_date=it.last_review_date,
        next_review=it.next_review_date,
        effective_from=it.effective_from,
        effective_to=it.effective_to,
        review_is_overdue=it.next_review_date is not None and it.next_review_date < today,
    )
