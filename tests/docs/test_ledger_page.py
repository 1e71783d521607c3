"""docs/ledger.md says the periods of the snooze as they are."""

import re

from cds_service.domain.recommendations import Indicator
from cds_service.knowledge.loader import load_knowledge
from tests.docs.pages import ROOT, read


def test_it_names_the_days_for_which_a_card_stays_quiet():
    rules = load_knowledge(ROOT / "cards").snooze
    days = re.search(r"How long \| (\d+) days after an information card, (\d+) after a warning", read("docs/ledger.md"))
    assert [int(day) for day in days.groups()] == [
        rules.days(Indicator.INFO, None),
        rules.days(Indicator.WARNING, None),
    ]
