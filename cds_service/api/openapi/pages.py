"""The answers for people and their programs: insight, the pages behind the cards, metrics.

The pages of the knowledge are described from the types that they are made of. The figures of `/insight.json` stand here
by name; that they are the same as in the answer is for the tests to show.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cds_service.api.openapi.answers import closed
from cds_service.api.openapi.schemas import Schema, says
from cds_service.decision.decide import OUTCOMES
from cds_service.decision.insight import GROUPINGS
from cds_service.knowledge.pages.content import Line, RecommendationContent
from cds_service.knowledge.pages.overview import IndexContent
from cds_service.knowledge.pages.value_sets import CoverageContent, ValueSetContent

SHEETS: Final = ("groups", "weeks", "reasons", "delays", "gaps", "outcomes", "shadows")
"""The tables of the figures, each of which comes as CSV too."""
_CODES: Final = ("client", "hook", "recommendation", "version", "indicator")
_PAGES: Final = (IndexContent, CoverageContent, RecommendationContent, ValueSetContent)

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TEXT: Final[Schema] = {"type": "string"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_WEEK: Final[Schema] = {"type": "string", "format": "date"}
_DAY: Final[Schema] = {
    "anyOf": [{"const": ""}, {"type": "string", "format": "date", "pattern": "^20(0[1-9]|[1-9][0-9])-"}],
}
_CODE: Final = r"^[^\x00-\x1f\x7f]{0,200}$"
_RATE: Final[Schema] = {"anyOf": [{"$ref": "#/components/schemas/Rate"}, {"type": "null"}]}
_TALLY: Final[dict[str, Schema]] = {
    "returned": _COUNT | says("Cards of their own that were returned."),
    "reporting": _COUNT | says("Of these, those that went to clients that have ever sent feedback."),
    "not_reporting": _COUNT | says("Of these, those that went to clients that never have."),
    "accepted": _COUNT | says("Cards of which a suggestion was accepted."),
    "overridden": _COUNT | says("Cards that were dismissed."),
    "without_feedback": _COUNT
    | says("Cards of reporting clients of which nothing was reported. It does not mean ignored."),
    "folded": _COUNT | says("Recommendations that stood in the card of several."),
    "folded_accepted": _COUNT | says("Of these, those of which a suggestion was accepted."),
    "snoozed": _COUNT | says("Recommendations that were kept quiet after an override."),
    "shadow": _COUNT | says("Recommendations that were evaluated and not returned."),
    "acceptance": _RATE | says("The share of accepted cards among those of reporting clients."),
    "override": _RATE | says("The share of dismissed cards among those of reporting clients."),
    "silence": _RATE | says("The share of cards of reporting clients of which nothing was reported."),
}


def insight_schemas() -> dict[str, Schema]:
    """The figures of `/insight.json`."""
    rate = {
        "count": _COUNT | says("How many cards."),
        "of": {"type": "integer", "minimum": 1} | says("Of how many."),
        **{name: _share(words) for name, words in _SHARES.items()},
    }
    tables = {name: _table(name, columns) for name, columns in _COLUMNS.items()}
    filters = {name: {"type": ["string", "null"]} for name in (*_CODES, "from", "to")} | {
        "by": {"enum": list(GROUPINGS)}
    }
    figures = {
        "knowledge": _NAME | says("The fingerprint of the knowledge that gave the titles."),
        "filters": closed("What is looked at, as it stands in the address. Null stands for all.", filters),
        "total": {"$ref": "#/components/schemas/Tally"},
        **tables,
    }
    return {
        "Insight": closed("What became of the advice, in numbers.", figures),
        "Tally": closed("Cards, counted.", _TALLY),
        "Rate": closed("A share with its 95 % interval (Wilson).", rate),
    }


def page_schemas() -> dict[str, Schema]:
    """The pages of the knowledge as JSON, from their types. Members with nothing to say are left out."""
    _, made = msgspec.json.schema_components(_PAGES, ref_template="#/components/schemas/Page{name}")
    found = {f"Page{name}": _page(schema) for name, schema in made.items() if name != "Span"}
    found[f"Page{Line.__name__}"] = _line()
    names = [{"$ref": f"#/components/schemas/Page{page.__name__}"} for page in _PAGES]
    return found | {"Page": {"description": "A page of the knowledge.", "anyOf": names}}


def filters(*, with_table: bool = False) -> list[Schema]:
    """The parameters of `/insight` and its siblings. An empty one is one that was not given: so a form sends it."""
    made = [_parameter(name, f"Only this {name}.", {"type": "string", "pattern": _CODE}) for name in _CODES]
    made += [
        _parameter("from", "From the week of this day on.", _DAY, "2026-10-26"),
        _parameter("to", "Up to the week of this day, which is not before the first.", _DAY, "2026-11-22"),
        _parameter("by", "What the cards are grouped by.", {"enum": [*GROUPINGS, ""]}, "week"),
    ]
    if with_table:
        table = _parameter("table", "Which table.", {"enum": list(SHEETS)}, "groups")
        made.insert(0, table | {"required": True})
    return made


def _parameter(name: str, description: str, schema: Schema, example: str | None = None) -> Schema:
    made: Schema = {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
    return made | ({"example": example} if example else {})


_SHARES: Final = {
    "share": "The share.",
    "low": "The lower end of its interval.",
    "high": "The upper end of its interval.",
}


def _share(words: str) -> Schema:
    return {"type": "number", "minimum": 0, "maximum": 1, "description": words}


_COLUMNS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "groups": ("By what the filters group by, most cards first.", {"name": _TEXT, "title": _TEXT, **_TALLY}),
    "weeks": ("By week, in time.", {"week": _WEEK, **_TALLY}),
    "reasons": (
        "The reasons for dismissals. An empty code stands for none, or for one without a code.",
        {"system": _TEXT, "code": _TEXT, "display": _TEXT, "count": _COUNT},
    ),
    "delays": (
        "How long after the answer a card was acted on, in seconds. The last row has no upper end.",
        {
            "over_seconds": _COUNT,
            "at_most_seconds": {"type": ["integer", "null"]},
            "accepted": _COUNT,
            "overridden": _COUNT,
        },
    ),
    "gaps": (
        "In how many calls an answer hung on data that could not be had.",
        {
            "need": _TEXT,
            "need_in_words": _TEXT,
            "state": _TEXT,
            "reason": _TEXT,
            "reason_in_words": _TEXT,
            "calls": _COUNT,
        },
    ),
    "outcomes": ("What calls came to.", {"outcome": _TEXT | {"examples": [*OUTCOMES]}, "calls": _COUNT}),
    "shadows": (
        "Recommendations in shadow against what is live.",
        {
            "recommendation": _TEXT,
            "title": _TEXT,
            "version": _TEXT,
            "both": _COUNT,
            "only_live": _COUNT,
            "only_shadow": _COUNT,
            "agreement": _RATE,
        },
    ),
}


def _table(name: str, described: tuple[str, dict[str, Any]]) -> Schema:
    about, columns = described
    return {"type": "array", "description": about, "items": closed(f"A row of the table {name}.", columns)}


def _page(schema: Schema) -> Schema:
    """A type of a page as it is written: nothing in it is null or empty, so that any member may be missing."""
    properties = {name: _without_null(value) for name, value in schema.get("properties", {}).items()}
    about = " ".join(str(schema.get("description", schema["title"])).split())
    return {"type": "object", "description": about, "properties": properties, "additionalProperties": False}


def _without_null(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: inner for key, inner in value.items() if key != "default"}
    if "anyOf" in kept and {"type": "null"} in kept["anyOf"]:
        (kept,) = [branch for branch in kept["anyOf"] if branch != {"type": "null"}]
    return kept


def _line() -> Schema:
    names: Schema = {"type": "array", "minItems": 1, "items": _NAME}
    own = {"$ref": f"#/components/schemas/Page{Line.__name__}"}
    members: dict[str, Schema] = {
        "text": _TEXT | says("The line."),
        "definition": _NAME | says("The definition that it names."),
        "says": _NAME | says("The sentence of that definition."),
        "value_sets": names | says("The value sets that it names."),
        "parameters": names | says("The thresholds that it names."),
        "moments": names | says("The moments that it names."),
        "unfolded_above": says("It was unfolded earlier on the page.", const=True),
        "parts": {"type": "array", "minItems": 1, "items": own, "description": "What it is made of."},
    }
    return closed("A criterion in words, with what it is made of.", members, optional=_but(members, "text"))


def _but(names: Iterable[str], *kept: str) -> list[str]:
    return [name for name in names if name not in kept]
