"""docs/clients.md names every reason for which a token is refused, and no other."""

import re

from cds_service.errors import RefusalReason
from cds_service.trust.jwk import ALGORITHMS
from tests.docs.pages import read

TOKENS = read("docs/clients.md").partition("## Tokens")[2]


def test_the_table_has_every_reason_of_a_refusal():
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", TOKENS.partition("| Reason |")[2], re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(RefusalReason)


def test_it_names_every_algorithm_that_can_be_agreed():
    assert set(re.findall(r"\b(?:ES|RS|PS)\d{3}\b|\bEdDSA\b", TOKENS)) == ALGORITHMS
