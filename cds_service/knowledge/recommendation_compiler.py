"""One file of ``recommendations/`` → a recommendation that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cds_service.domain.codes import Coding
from cds_service.domain.criteria import All
from cds_service.domain.facts import Priority
from cds_service.domain.recommendations import (
    Exclusion,
    ForEach,
    Indicator,
    Offer,
    OfferedAction,
    OfferedLink,
    OfferedSuggestion,
    PlannedDate,
    Recommendation,
    Slot,
    SlotSource,
    Sort,
    Stewardship,
    Text,
)
from cds_service.domain.situation import Criterion
from cds_service.domain.times import Window
from cds_service.knowledge import schema
from cds_service.knowledge.criteria_compiler import CriteriaCompiler
from cds_service.knowledge.document import Document, Steps
from cds_service.knowledge.names import Names
from cds_service.knowledge.problems import Problems

BUILT_IN_SLOTS = frozenset({"side", "found", "draft", "missing"})
_SLOT_SOURCES = ("value_of", "date_of", "display_of", "date", "days_since", "parameter")
_SOURCES = {"value_of": SlotSource.FACT_VALUE, "date_of": SlotSource.FACT_DATE, "display_of": SlotSource.FACT_DISPLAY}


class RecommendationCompiler:
    """Compiles one recommendation; mistakes are noted with their line."""

    def __init__(
        self,
        document: Document,
        names: Names,
        problems: Problems,
        definition: Callable[[str], Criterion | None],
        evidence: Mapping[str, schema.EvidenceEntry],
    ) -> None:
        """``evidence`` is what the file may cite."""
        self.document = document
        self.names = names
        self.problems = problems
        self.evidence = evidence
        self.criteria = CriteriaCompiler(document, names, problems, definition)

    def compile(self, entry: schema.RecommendationEntry, gates: tuple[Criterion, ...]) -> Recommendation:
        """The whole file."""
        slots = {name: self._slot(name, slot, ("slots", name)) for name, slot in entry.slots.items()}
        self.names.written |= {id(slot): (slot, entry.slots[name]) for name, slot in slots.items()}
        self._check_texts(entry, slots)
        raised = [
            (level, self.criteria.compile_any(criteria, ("indicator", key)))
            for level, key, criteria in (
                (Indicator.WARNING, "warning when any", entry.indicator.warning_when_any),
                (Indicator.CRITICAL, "critical when any", entry.indicator.critical_when_any),
            )
            if criteria
        ]
        for_each = self._for_each(entry.for_each)
        return Recommendation(
            id=entry.id,
            title=entry.title,
            group=self.document.name.split("/")[-2],
            sort=Sort(entry.sort),
            hooks=frozenset(entry.hooks),
            order=entry.place_in_order,
            for_each=for_each,
            when=self._when(entry, for_each),
            unless=self._exclusions(entry),
            gates=gates,
            indicator=Indicator(entry.indicator.default),
            raised_when=tuple(raised),
            summary=entry.summary,
            detail=tuple(self._text(text, ("detail", i)) for i, text in enumerate(entry.detail)),
            slots=slots,
            suggestions=tuple(self._suggestion(s, ("suggestions", i)) for i, s in enumerate(entry.suggestions)),
            select_any=entry.select == "any",
            links=tuple(link for i, e in enumerate(entry.links) if (link := self._link(e, ("links", i)))),
            override_reasons=tuple(
                reason
                for i, name in enumerate(entry.override_reasons)
                if (reason := self._override_reason(name, ("override reasons", i)))
            ),
            evidence=tuple(self._cited(name, ("evidence", i)) for i, name in enumerate(entry.evidence)),
            strength=entry.strength,
            seed_statements=tuple(entry.seed_statements),
            stewardship=_stewardship(entry.stewardship),
            path=self.document.name,
            notes={"accepting does not settle": entry.accepting_does_not_settle}
            if entry.accepting_does_not_settle
            else {},
        )

    def _for_each(self, entry: schema.ForEachEntry | None) -> ForEach | None:
        if entry is None:
            return None
        if (entry.side_with is None) == (entry.drafted is None):
            self.problems.add(self.document, ("for each",), "judge sides or drafts", "`side with` or `drafted`")
            return None
        if entry.side_with is not None:
            criterion = self.criteria.compile(entry.side_with, ("for each", "side with"))
            return ForEach(f"each side with {entry.side_with}", sides_with=criterion)
        drafted = entry.drafted or []
        self.criteria.concepts(drafted, ("for each", "drafted"))
        return ForEach(f"each drafted {', '.join(drafted)}", drafted=tuple(drafted))

    def _when(self, entry: schema.RecommendationEntry, for_each: ForEach | None) -> All:
        """The trigger: what makes a side one to judge, and what else must hold there."""
        sides = (for_each.sides_with,) if for_each and for_each.sides_with else ()
        if for_each is None and not entry.when:
            self.problems.add(
                self.document, ("when",), "nothing says when it applies", "add `when`, or `for each: {side with: …}`"
            )
        criteria = self.criteria.compile_all(entry.when or [], ("when",))
        return All(criteria.text, (*sides, *criteria.criteria))

    def _exclusions(self, entry: schema.RecommendationEntry) -> tuple[Exclusion, ...]:
        show = entry.when_unknown == "show"
        caveat = ""
        if show and entry.caveat is None:
            self.problems.add(
                self.document, ("when unknown",), "a card shown on partial data needs a caveat", "name one: `caveat: …`"
            )
        elif entry.caveat is not None:
            if entry.caveat not in self.names.caveats:
                self.problems.unknown(self.document, ("caveat",), "caveat", entry.caveat, self.names.caveats)
            caveat = self.names.caveats.get(entry.caveat, "")
        criteria = [self.criteria.compile(e, ("unless", i)) for i, e in enumerate(entry.unless or [])]
        return tuple(Exclusion(criterion, show, caveat) for criterion in criteria)

    # ---- words

    def _text(self, entry: str | schema.TextEntry, steps: Steps) -> Text:
        if isinstance(entry, str):
            return Text(entry)
        return Text(entry.text, self.criteria.compile_all(entry.when, (*steps, "when")))

    def _slot(self, name: str, entry: schema.SlotEntry, steps: Steps) -> Slot:
        given = [key for key in _SLOT_SOURCES if getattr(entry, key) is not None]
        if len(given) != 1:
            sources = ", ".join(f"`{key.replace('_', ' ')}`" for key in _SLOT_SOURCES)
            self.problems.add(self.document, steps, "a slot has exactly one source", sources)
            return Slot(name, SlotSource.FACT_DATE, otherwise=entry.otherwise)
        key = given[0]
        place = (*steps, key.replace("_", " "))
        if key in _SOURCES:
            criterion = self.criteria.compile(getattr(entry, key), place)
            return Slot(name, _SOURCES[key], criterion=criterion, otherwise=entry.otherwise)
        if key == "parameter":
            return Slot(name, SlotSource.FACT_VALUE, fixed=self._in_words(entry.parameter or "", place))
        if key == "days_since":
            moment = self.criteria.moment(entry.days_since or "", place)
            return Slot(name, SlotSource.DAYS_AGO, moment=moment, otherwise=entry.otherwise)
        date = entry.date or schema.DateEntry()
        moment = self.criteria.moment(date.moment, (*place, "moment")) if date.moment else None
        plus = self.criteria.days(date.plus, (*place, "plus"))
        return Slot(name, SlotSource.FACT_DATE, moment=moment, plus=plus, otherwise=entry.otherwise)

    def _in_words(self, name: str, steps: Steps) -> str:
        """A threshold as a text says it, so that no sentence repeats a number."""
        self.criteria.number(name, steps)
        parameter = self.names.parameters.get(name)
        if parameter is None:
            return ""
        unit = "" if parameter.unit in ("ratio", "count") else f" {parameter.unit}"
        return f"MRC {parameter.value:g}" if parameter.unit == "MRC grade" else f"{parameter.value:g}{unit}"

    def _check_texts(self, entry: schema.RecommendationEntry, slots: Mapping[str, Slot]) -> None:
        """Texts may only use slots that exist, and hold no HTML."""
        known = BUILT_IN_SLOTS | set(slots)
        texts: list[tuple[Steps, str]] = [(("summary",), entry.summary)]
        texts += [(("detail", i), t if isinstance(t, str) else t.text) for i, t in enumerate(entry.detail)]
        texts += [(("suggestions", i, "label"), s.label) for i, s in enumerate(entry.suggestions)]
        for steps, text in texts:
            self.problems.check_slots(self.document, steps, text, known)
        if len(entry.summary) >= 140:
            self.problems.add(
                self.document,
                ("summary",),
                f"the summary has {len(entry.summary)} characters",
                "keep it below 140, slots filled",
            )

    # ---- offers

    def _suggestion(self, entry: schema.SuggestionEntry, steps: Steps) -> OfferedSuggestion:
        actions = tuple(
            action
            for i, e in enumerate(entry.actions)
            if (action := self._action(e, entry.label, (*steps, "actions", i)))
        )
        when = self.criteria.compile_all(entry.when, (*steps, "when")) if entry.when else None
        return OfferedSuggestion(entry.label, actions, entry.recommended, when, entry.does_not_settle or "")

    def _action(self, entry: schema.ActionEntry, label: str, steps: Steps) -> OfferedAction | None:
        given = [entry.create is not None, entry.update_draft is not None, entry.delete_draft is not None]
        if sum(given) != 1:
            self.problems.add(
                self.document, steps, "an action does exactly one thing", "`create`, `update draft` or `delete draft`"
            )
            return None
        description = entry.description or label
        if entry.delete_draft:
            return OfferedAction(Offer.DELETE_DRAFT, description)
        if entry.update_draft:
            return self._update(entry.update_draft, description, (*steps, "update draft"))
        orderable = self._orderable(entry.create or "", (*steps, "create"))
        if entry.for_ is None:
            self.problems.add(
                self.document, steps, "an order needs its reason", "`for:` the condition or definition it is for"
            )
            return None
        return OfferedAction(
            Offer.CREATE,
            description,
            orderable,
            self.criteria.compile(entry.for_, (*steps, "for")),
            Priority[entry.priority.upper()],
            self._planned(entry.planned, (*steps, "planned")),
        )

    def _update(self, change: schema.DraftChange, description: str, steps: Steps) -> OfferedAction:
        return OfferedAction(
            Offer.UPDATE_DRAFT,
            description,
            planned=self._planned(change.planned, (*steps, "planned")),
            add_reason=self._override_reason(change.reason, (*steps, "reason")) if change.reason else None,
            on_hold=bool(change.on_hold),
            new_code=self._orderable(change.code, (*steps, "code")) if change.code else None,
            of_drafts=tuple(sorted(self.criteria.concepts(change.of, (*steps, "of")))),
            new_priority=Priority[change.priority.upper()] if change.priority else None,
        )

    def _orderable(self, name: str, steps: Steps) -> Any:
        self.names.used.add(("orderable", name))
        if name not in self.names.orderables:
            self.problems.unknown(self.document, steps, "orderable", name, self.names.orderables)
            return None
        return self.names.orderables[name]

    def _planned(self, entry: schema.DateEntry | None, steps: Steps) -> PlannedDate | None:
        if entry is None:
            return None
        moment = self.criteria.moment(entry.moment, (*steps, "moment")) if entry.moment else None
        planned = PlannedDate(moment, self.criteria.days(entry.plus, (*steps, "plus")) or Window(0))
        self.names.written[id(planned)] = planned, entry
        return planned

    # ---- references to other files

    def _cited(self, name: str, steps: Steps) -> str:
        self.names.used.add(("evidence", name))
        if name not in self.evidence:
            self.problems.unknown(self.document, steps, "evidence", name, self.evidence)
        return name

    def _link(self, entry: schema.LinkEntry, steps: Steps) -> OfferedLink | None:
        if entry.evidence:
            self._cited(entry.evidence, (*steps, "evidence"))
            source = self.evidence.get(entry.evidence)
            if source is None or source.url is None:
                self.problems.add(self.document, steps, f"{entry.evidence} has no url", "link a source that has one")
                return None
            return OfferedLink(entry.label or source.citation.split(". ")[0][:80], source.url)
        if entry.label and entry.url:
            return OfferedLink(entry.label, entry.url)
        self.problems.add(self.document, steps, "a link needs `evidence`, or `label` and `url`", "add them")
        return None

    def _override_reason(self, name: str, steps: Steps) -> Coding | None:
        self.names.used.add(("override reason", name))
        if name not in self.names.override_reasons:
            self.problems.unknown(self.document, steps, "override reason", name, self.names.override_reasons)
            return None
        return self.names.override_reasons[name]


def _stewardship(entry: schema.StewardshipEntry) -> Stewardship:
    return Stewardship(
        entry.status,
        entry.version,
        entry.author,
        tuple(entry.reviewers),
        entry.approval_date,
        entry.last_review_date,
        entry.next_review,
        entry.effective_from,
        entry.effective_to,
    )
