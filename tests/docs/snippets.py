"""The fenced blocks of the pages: what each is, and what the tests do with it.

A block of `sh` or `python` is run, one of `json` or `yaml` is read by whatever reads such a file. What stands in an
HTML comment on the line above says otherwise:

    <!-- not run: why -->        it is not run
    <!-- file: path -->          it is written to this file before the blocks that follow are run
    <!-- fails -->               it is run, and has to fail
    <!-- output -->              it is what the block before prints; `…` stands for anything
    <!-- needs: setting NAME --> it is run only if there is this setting; or `needs: module name`
    <!-- not ours: what -->      it is a file of another program: it has to be YAML or JSON, no more
"""

import re
from dataclasses import dataclass

from tests.docs.pages import ROOT

PAGES = sorted(
    str(page.relative_to(ROOT))
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "fhir_examples/README.md", "cards/README.md")
    for page in ROOT.glob(pattern)
)
RUN, READ, SHOWN = ("sh", "python"), ("json", "yaml"), ("", "text", "mermaid")
NOT_RUN = {
    ("README.md", "make run     # the service on http://127.0.0.1:8080"): "CI runs both, from a clean clone",
    ("README.md", "cds-service check                              # every file validated, every case run, every "
     "criterion decided by a case"): "a list of what there is; the pages of each command run it",
    ("CONTRIBUTING.md", "make check"): "CI runs it",
    ("cards/README.md", "cds-service check                              # everything above"): "a list of what there is",
    ("docs/insight.md", "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > /run/secrets/cds-admin-token"):
    "writes outside its folder",
    ("docs/patient-data.md", "cds-service try --fhir-server http://127.0.0.1:8090/fhir --patient example --why"):
    "needs a FHIR server",
    ("docs/performance.md", "python -m bench.calls"): "measures for minutes",
    ("docs/ledger.md", "cds-service ledger stats                        # how much there is, from when to when"):
    "a list of what there is, each in tests/ledger; docs/quick-start.md runs the first",
}  # fmt: skip
"""Blocks that are not run, by page and first line, with the reason; for pages without a comment."""
_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n+)?^```(?P<language>[\w-]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NOTE = re.compile(r"(not run|file|fails|output|needs|not ours)(?:: (.+))?")


@dataclass(frozen=True)
class Block:
    """One fenced block, with the line on which it begins and what the comment above it says."""

    page: str
    line: int
    language: str
    body: str
    note: str = ""
    said: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def key(self) -> tuple[str, str]:
        """How the table above names it."""
        return self.page, self.body.partition("\n")[0]

    @property
    def is_run(self) -> bool:
        """Whether it is a program that the tests run."""
        return self.language in RUN and self.note not in ("not run", "output", "file") and self.key not in NOT_RUN


def blocks_of(page: str) -> list[Block]:
    """All blocks of a page, in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        note = _NOTE.fullmatch(match["note"] or "")
        line = text.count("\n", 0, match.start("language")) + 1
        kind, said = (note[1], note[2] or "") if note else ("", "")
        found.append(Block(page, line, match["language"], match["body"], kind, said))
    return found


FENCES = re.compile(r"^ *(?:```|~~~)", re.MULTILINE)
"""Every line that opens or closes a block, also one that is not written as the others are."""
ALL = [block for page in PAGES for block in blocks_of(page)]
