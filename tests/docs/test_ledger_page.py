"""docs/ledger.md says the periods of the snooze, and how long a comment may be, as they are."""

import re

from cds_service.domain.recommendations import Indicator
from cds_service.knowledge.loader import load_knowledge
from cds_service.ledger.comments import CUT, LONGEST
from tests.docs.pages import ROOT, read


def test_it_names_the_days_for_which_a_card_stays_quiet():
    rules = load_knowledge(ROOT / "cards").snooze
    days = re.search(r"How long \| (\d+) days after an information card, (\d+) after a warning", read("docs/ledger.md"))
    assert [int(day) for day in days.groups()] == [
        rules.days(Indicator.INFO, None),
        rules.days(Indicator.WARNING, None),
    ]


def test_it_names_the_length_of_a_comment_and_the_mark_of_one_that_was_cut():
    assert f"{LONGEST:,} characters; what is longer is cut, and ends with `{CUT}`" in read("docs/ledger.md")
