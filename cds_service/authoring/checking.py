"""``cds-service check``: all of ``cards/`` validated, its cases run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cds_service.authoring.case_runner import DEFAULT_TIME, CaseRunner
from cds_service.authoring.cases import check_names, read_cases
from cds_service.authoring.checks import check
from cds_service.authoring.trying import Attempt
from cds_service.errors import InvalidKnowledgeError, KnowledgeError
from cds_service.knowledge.loader import load_knowledge
from cds_service.knowledge.problems import Problems
from cds_service.settings import Settings


@dataclass(slots=True)
class Report:
    """What was found."""

    problems: list[KnowledgeError] = field(default_factory=list)
    warnings: list[KnowledgeError] = field(default_factory=list)
    summary: str = ""


def check_knowledge(cards: Path, settings: Settings) -> Report:
    """Load, lint, run the cases."""
    try:
        knowledge = load_knowledge(cards)
    except InvalidKnowledgeError as error:
        return Report(error.problems, [], f"{cards}: {len(error.problems)} errors, nothing was run")
    problems = Problems()
    check(knowledge, problems)
    cases = list(read_cases(cards, problems))
    runner = CaseRunner(Attempt(settings.model_copy(update={"max_cards": 0}), knowledge, DEFAULT_TIME))
    for case in cases:
        if not check_names(case, knowledge, problems):
            continue
        try:
            differences = runner.run(case)
        except KeyError as error:
            differences = [str(error).strip('"')]
        for difference in differences:
            problems.add(
                case.document,
                ("cases", case.index),
                f"{case.entry.case}: {difference}",
                "mend the case or the recommendation",
            )
    summary = (
        f"{len(knowledge.recommendations)} recommendations, {len(knowledge.names.value_sets)} value sets, "
        f"{len(knowledge.names.parameters)} parameters, {len(cases)} cases: {len(problems.found)} errors, "
        f"{len(problems.warnings)} warnings; fingerprint {knowledge.fingerprint}"
    )
    return Report(problems.found, problems.warnings, summary)
