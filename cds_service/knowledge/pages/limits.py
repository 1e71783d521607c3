"""The limits of each recommendation as Markdown: the generated part of the safety file."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.domain.recommendations import Recommendation
from cds_service.errors import KnowledgeError
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.needs import needs_of
from cds_service.knowledge.prefetch import asked_by

BEGIN = "<!-- generated from cards/ by `cds-service render --safety docs/safety.md`: do not edit below -->"
END = "<!-- end of the generated part -->"


def limits(knowledge: Knowledge) -> str:
    """One section for each recommendation, in table order."""
    return "\n".join(line for it in knowledge.recommendations for line in _limits(it, knowledge))


def with_limits(text: str, knowledge: Knowledge, file: str) -> str:
    """The safety file with its generated part renewed. Raises KnowledgeError where the marks are missing."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise KnowledgeError(
            "the marks of the generated part are missing", file=file, remedy=f"restore {BEGIN} … {END}"
        )
    return f"{head}{BEGIN}\n\n{limits(knowledge)}\n{END}{tail}"


def _limits(it: Recommendation, knowledge: Knowledge) -> Iterator[str]:
    yield f"### {it.id} {it.title}\n"
    yield f"- **Strength (own appraisal):** {it.strength}"
    low = [n for n in it.evidence if knowledge.evidence[n].quality in ("low", "very low")]
    yield f"- **Evidence:** {len(it.evidence)} sources, {len(low)} of low or very low quality."
    yield from (f"- **Limit of {name}:** {text}" for name in it.evidence if (text := knowledge.evidence[name].limits))
    yield f"- **When an exclusion cannot be decided:** {_when_unknown(it)}"
    not_read: dict[str, list[str]] = {}
    for need in needs_of(it, knowledge):
        not_read.setdefault(need.when_not_read, []).append(need.words)
    yield from (f"- **Not read: {', '.join(words)}.** {then}" for then, words in not_read.items())
    missing = [name for name in asked_by(it) if _is_not_coded(name, knowledge)]
    if missing:
        yield f"- **Known only by our own codes, or in part:** {', '.join(missing)}."
    yield ""


def _when_unknown(it: Recommendation) -> str:
    if not it.unless:
        return "there is no exclusion."
    if any(exclusion.show_when_unknown for exclusion in it.unless):
        return "the card is shown and says what was not seen."
    return "the card is withheld."


def _is_not_coded(name: str, knowledge: Knowledge) -> bool:
    value_set = knowledge.names.value_sets.get(name)
    return bool(value_set and value_set.not_coded)
