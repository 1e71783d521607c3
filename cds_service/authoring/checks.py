"""What can be wrong with knowledge that loads: unused names, summaries too long once filled, orders not recognised."""

from __future__ import annotations

from cds_service.domain.recommendations import Recommendation, SlotSource
from cds_service.errors import KnowledgeError
from cds_service.hooks.prefetch import check_template
from cds_service.hooks.response import SUMMARY_LIMIT
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.problems import Problems

_LONGEST = {SlotSource.FACT_DATE: 10, SlotSource.FACT_VALUE: 12, SlotSource.FACT_DISPLAY: 60, SlotSource.DAYS_AGO: 5}
_LONGEST_SIDE = 15


def check(knowledge: Knowledge, problems: Problems) -> None:
    """Every check that needs the whole knowledge."""
    for recommendation in knowledge.recommendations:
        _check_summary(recommendation, problems)
        _check_hooks(recommendation, knowledge, problems)
    _check_correction_summary(knowledge, problems)
    _check_order(knowledge, problems)
    _check_prefetch(knowledge, problems)
    _check_orderables(knowledge, problems)
    _check_unused(knowledge, problems)


def _error(problems: Problems, file: str, key: str, problem: str, remedy: str) -> None:
    problems.found.append(KnowledgeError(problem, file=file, key=key, remedy=remedy))


def _check_summary(recommendation: Recommendation, problems: Problems) -> None:
    """The summary stays below the limit with the longest values its slots can take (CARD-2)."""
    longest = {
        name: slot.fixed or "x" * max(_LONGEST[slot.shows], len(slot.otherwise))
        for name, slot in recommendation.slots.items()
    }
    longest |= {"side": "x" * _LONGEST_SIDE, "draft": "x" * 60, "found": "x" * 140, "missing": "x" * 140}
    length = len(recommendation.summary.format_map(longest))
    if length >= SUMMARY_LIMIT:
        _error(
            problems,
            recommendation.path,
            "summary",
            f"filled with its longest values it has {length} characters",
            "shorten it below 140",
        )


def _check_correction_summary(knowledge: Knowledge, problems: Problems) -> None:
    """So does that of the offer to correct the record, with the longest reason that asks for it."""
    words = knowledge.words.record_correction_card
    longest = max((len(asked.reason) for asked in knowledge.corrections.to_record.values()), default=0)
    for key, text in (("summary", words.summary), ("summary of several", words.summary_of_several)):
        length = len(text.format_map({"reason": "x" * longest, "count": "xx"}))
        if length >= SUMMARY_LIMIT:
            _error(
                problems,
                "services.yaml",
                f"record correction card.{key}",
                f"filled with its longest values it has {length} characters",
                "shorten it below 140",
            )


def _check_hooks(recommendation: Recommendation, knowledge: Knowledge, problems: Problems) -> None:
    for hook in recommendation.hooks - set(knowledge.prefetch):
        _error(
            problems,
            recommendation.path,
            "hooks",
            f"no service serves {hook!r}",
            "add it to services.yaml, or take it out",
        )


def _check_order(knowledge: Knowledge, problems: Problems) -> None:
    seen: dict[int, str] = {}
    for recommendation in knowledge.recommendations:
        if recommendation.order in seen:
            other = seen[recommendation.order]
            _error(
                problems,
                recommendation.path,
                "place in order",
                f"{other} has this place too",
                "give each its own place",
            )
        seen[recommendation.order] = recommendation.id


def _check_prefetch(knowledge: Knowledge, problems: Problems) -> None:
    for hook, templates in knowledge.prefetch.items():
        for key, template in templates.items():
            for problem in check_template(hook, template):
                _error(problems, "services.yaml", f"needs.{key}.query", problem, "use patient= and code= only")


def _check_orderables(knowledge: Knowledge, problems: Problems) -> None:
    """An order of ours that a criterion could ask for must be recognised when it comes back."""
    for name, orderable in knowledge.names.orderables.items():
        if name in knowledge.names.value_sets:
            meanings = {
                m.concept for c in orderable.codings for m in knowledge.vocabulary.table.look_up(c.system, c.code)
            }
            if name not in meanings:
                _error(
                    problems,
                    "orderables.yaml",
                    name,
                    "its codings are not in the value set of the same name",
                    "add one of them there",
                )


def _check_unused(knowledge: Knowledge, problems: Problems) -> None:
    used = knowledge.names.used
    for kind, names, file in (
        ("parameter", knowledge.names.parameters, "parameters.yaml"),
        ("orderable", knowledge.names.orderables, "orderables.yaml"),
        ("override reason", knowledge.names.override_reasons, "override_reasons.yaml"),
    ):
        for name in names:
            if (kind, name) not in used:
                problems.warnings.append(
                    KnowledgeError(f"this {kind} is used nowhere", file=file, key=name, remedy="use it or take it out")
                )
