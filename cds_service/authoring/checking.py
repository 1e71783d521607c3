"""``cds-service check``: all of ``cards/`` validated, its cases run, every criterion decided by one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from cds_service.authoring.case_runner import DEFAULT_TIME, CaseRunner
from cds_service.authoring.cases import Case, check_names, read_cases
from cds_service.authoring.checks import check
from cds_service.authoring.coverage import definitions_of, uncovered, uncovered_in_definition
from cds_service.authoring.lint import lint
from cds_service.authoring.trying import Attempt
from cds_service.domain.situation import Situation
from cds_service.errors import InvalidKnowledgeError, KnowledgeError
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.loader import load_knowledge
from cds_service.knowledge.problems import Problems
from cds_service.settings import Settings

_DAY_OF_THE_CASES = DEFAULT_TIME.date()


@dataclass(slots=True)
class Report:
    """What was found."""

    problems: list[KnowledgeError] = field(default_factory=list)
    warnings: list[KnowledgeError] = field(default_factory=list)
    summary: str = ""


def check_knowledge(
    cards: Path, settings: Settings, on: dt.date = _DAY_OF_THE_CASES, *, next_versions: bool = False
) -> Report:
    """Load, lint, run the cases, see whether every criterion decides some of them. ``on`` is the day of the check.

    With ``next_versions`` the cases are run as if these were live: what differs is what they would change.
    """
    try:
        knowledge = load_knowledge(cards, next_versions=next_versions)
    except InvalidKnowledgeError as error:
        return Report(error.problems, [], f"{cards}: {len(error.problems)} errors, nothing was run")
    problems = Problems()
    check(knowledge, problems)
    cases = list(read_cases(cards, problems))
    lint(knowledge, cases, on, problems)
    attempt = Attempt(settings.model_copy(update={"max_cards": 0}), knowledge, DEFAULT_TIME)
    tried = _run_cases(cases, CaseRunner(attempt), problems)
    decided, criteria = _check_coverage(knowledge, tried, problems)
    summary = (
        f"{len(knowledge.recommendations)} recommendations, {len(knowledge.names.value_sets)} value sets, "
        f"{len(knowledge.names.parameters)} parameters, {len(cases)} cases; criterion coverage {decided} of {criteria} "
        f"({100 * decided / (criteria or 1):.0f} %): {len(problems.found)} errors, {len(problems.warnings)} warnings; "
        f"fingerprint {knowledge.fingerprint}"
    )
    return Report(problems.found, [*knowledge.warnings, *problems.warnings], summary)


def _run_cases(cases: list[Case], runner: CaseRunner, problems: Problems) -> list[tuple[Case, Situation]]:
    """Run each case and note what differs; the situations are for the coverage."""
    tried: list[tuple[Case, Situation]] = []
    for case in cases:
        if not check_names(case, runner.knowledge, problems):
            continue
        try:
            differences, decided = runner.run_and_keep(case)
        except KeyError as error:
            differences, decided = [str(error).strip('"')], None
        if decided is not None:
            tried.append((case, decided.situation))
        for difference in differences:
            words = f"{case.entry.case}: {difference}"
            problems.add(case.document, ("cases", case.index), words, "mend the case or the recommendation")
    return tried


def _check_coverage(knowledge: Knowledge, tried: list[tuple[Case, Situation]], problems: Problems) -> tuple[int, int]:
    """Each criterion decides at least one case in each direction, or the check fails."""
    gaps, criteria = 0, 0
    for recommendation in knowledge.recommendations:
        own = [situation for case, situation in tried if not case.about or recommendation.id in case.about]
        for found in uncovered(recommendation, own):
            criteria += 1
            for direction in found.undecided:
                gaps += 1
                problem = f"no case turns on `{found.text}` ({found.section}) being {direction}"
                problems.found.append(
                    KnowledgeError(problem, file=recommendation.path, remedy="add one to cards/cases")
                )
    for definition, users in definitions_of(knowledge.recommendations):
        situations = [situation for case, situation in tried if not case.about or case.about & users]
        for text, undecided in uncovered_in_definition(definition, situations):
            criteria += 1
            for direction in undecided:
                gaps += 1
                problem = f"no case turns on `{text}` being {direction}"
                error = KnowledgeError(
                    problem, file="definitions.yaml", key=definition.name, remedy="add one to cards/cases"
                )
                problems.found.append(error)
    return 2 * criteria - gaps, 2 * criteria
