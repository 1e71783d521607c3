"""Lint of the knowledge as a whole: what loads, and yet cannot be right."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator

from cds_service.authoring.cases import Case
from cds_service.domain.recommendations import Recommendation
from cds_service.domain.situation import Criterion
from cds_service.errors import KnowledgeError
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.problems import Problems

_EVIDENCE = re.compile(r"\bE\d+b?\b")


def lint(knowledge: Knowledge, cases: list[Case], on: dt.date, problems: Problems) -> None:
    """Everything that needs no patient to be found."""
    grace = dt.timedelta(days=knowledge.names.window(knowledge.words.review_grace).amount)
    for recommendation in knowledge.recommendations:
        _check_review(recommendation, on, grace, problems)
        _check_cases(recommendation, cases, problems)
    _check_twins(knowledge.recommendations, problems)
    problems.found.extend(_wrong_displays(knowledge))
    problems.found.extend(_uncited_parameters(knowledge))


def _error(file: str, key: str, problem: str, remedy: str) -> KnowledgeError:
    return KnowledgeError(problem, file=file, key=key, remedy=remedy)


def _check_review(recommendation: Recommendation, on: dt.date, grace: dt.timedelta, problems: Problems) -> None:
    """A review date that has passed is a warning, and after a period of grace an error."""
    due, until = recommendation.stewardship.next_review_date, recommendation.stewardship.effective_to
    if due and on > due:
        found = problems.found if on > due + grace else problems.warnings
        found.append(_error(recommendation.path, "stewardship.next review", f"review was due on {due}", "review it"))
    if until and on > until:
        message = f"it has been silent since {until}, the end of its effective period"
        problems.warnings.append(_error(recommendation.path, "stewardship.effective to", message, "renew or retire it"))


def _check_cases(recommendation: Recommendation, cases: Iterable[Case], problems: Problems) -> None:
    """Somebody must show that it speaks, and that it can be silent."""
    about = [case for case in cases if recommendation.id in case.about or not case.about]
    if not any(recommendation.id in case.entry.expect for case in about):
        problem = "no case shows it: it may be unreachable"
        problems.found.append(_error(recommendation.path, "id", problem, "write a case that expects it"))
    if not any(recommendation.id not in case.entry.expect for case in about if recommendation.id in case.about):
        problem = "no case shows it silent"
        problems.found.append(_error(recommendation.path, "id", problem, "write a near miss under `silent`"))


def _check_twins(recommendations: Iterable[Recommendation], problems: Problems) -> None:
    """Two recommendations that ask the same of the same patients can never differ."""
    seen: dict[object, str] = {}
    for recommendation in recommendations:
        shape = (
            recommendation.hooks,
            recommendation.for_each and recommendation.for_each.text,
            tuple(_texts(recommendation.when)),
            frozenset(tuple(_texts(exclusion.criterion)) for exclusion in recommendation.unless),
        )
        if shape in seen:
            problem = f"it can never differ from {seen[shape]}"
            problems.found.append(_error(recommendation.path, "when", problem, "merge them, or say what differs"))
        seen.setdefault(shape, recommendation.id)


def _texts(criterion: Criterion) -> Iterator[str]:
    yield criterion.text
    for part in criterion.parts():
        yield from _texts(part)


def _wrong_displays(knowledge: Knowledge) -> Iterator[KnowledgeError]:
    """A display that is not the code's own title, where we have the table."""
    for name, value_set in knowledge.names.value_sets.items():
        for code in value_set.codes:
            title = knowledge.names.titles.get(code.system, {}).get(code.code)
            if title is not None and code.display and code.display != title.title:
                problem = f"{code.system} {code.code} is titled {title.title!r}, not {code.display!r}"
                yield _error(f"value_sets ({name})", code.code, problem, "use the code's own title")


def _uncited_parameters(knowledge: Knowledge) -> Iterator[KnowledgeError]:
    """A parameter that cites a source which is not in ``evidence.yaml``."""
    for name, parameter in knowledge.names.parameters.items():
        for cited in _EVIDENCE.findall(parameter.citation):
            if cited not in knowledge.evidence:
                yield _error(
                    "parameters.yaml",
                    f"{name}.citation",
                    f"no evidence is called {cited!r}",
                    "cite a source that is there",
                )
