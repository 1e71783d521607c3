"""What the service answers when a FHIR server misbehaves, tried out.

To write the page anew: `python -m tests.fetching.faults_table > docs/faults.md`.
`test_faults` compares the page with what happens.
"""

import contextlib
from typing import NamedTuple

from tests.fetching.world import NEEDS, a_record, asking, codes, gaps, said, service, timed, weak_ankle
from tests.fhir_server.fault import FAULTS, FaultServer

SLOW = ("slow first byte", "slow body")
DEADLINES = {True: 250, False: 4000}  # a fault that uses up the deadline needs no long one
UNHARMED = "as without it"
OTHERS = [name for name, need in NEEDS.items() if need.resource not in ("Patient", "Condition")]
HEAD = f"""# When a FHIR server misbehaves

What one call comes to when one query of it meets a fault and the others are answered well: tried out for every fault of
`tests/fhir_server/faults.py` against every kind of patient data, over HTTP. `tests/fetching/test_faults.py` fails when
this page says something else than what happens. To write it anew:
`python -m tests.fetching.faults_table > docs/faults.md`.

The patient has foot drop and CIDP, so that an answer hangs on each of the {len(NEEDS)} kinds. A cell tells the answer's
status, what came of the data, and why:

- **{UNHARMED}**: the same answer, to the letter, that a server without the fault gets.
- **412**: an OperationOutcome that names the prefetch key and the reason. Without the Patient always; without the
  Conditions where nothing else that is known concerns us.
- **200**: the recommendations that stand. Each says what it did not see, and what no card says stands on one `data-gap`
  card with the reason in words. Nothing is taken for absent: *truncated* and *partial* data counts for what it holds,
  of *failed* and *denied* no part is used. The response's `extension` has the same for machines.

No answer is later than the deadline. No fault makes the service ask another host, follow a link out of the server's
path, or show its token there. *Conditions, weak ankle* is the same search where a finding alone tells that the call
concerns us; *any other* holds for each of: {", ".join(OTHERS)}.
"""
COLUMNS = ("Fault", "What the server does", "Patient", "Conditions", "Conditions, weak ankle", "any other")


class Try(NamedTuple):
    """One call that met a fault, the same without it, and what the server saw."""

    answer: object
    good: object
    seconds: float
    deadline: float
    cell: str


class Bench:
    """A server that can misbehave, and a service with patience and one without."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.server = self._stack.enter_context(FaultServer([]))
        self._clients = {}
        for is_slow, deadline in DEADLINES.items():
            self._clients[is_slow] = service(deadline_ms=deadline)
            self._stack.callback(self._clients[is_slow].close)
        self._good = {}

    def close(self):
        self._stack.close()

    def good(self, weak):
        """The answer without a fault."""
        self.server.resources = a_record(*[weak_ankle()] if weak else [])
        if weak not in self._good:
            self.server.faults = {}
            self._good[weak] = self._clients[False].fire(asking(self.server.base))
            assert codes(self._good[weak])
            assert not gaps(self._good[weak])
        return self._good[weak]

    def fire(self, fault):
        """A call to the service whose patience suits the fault."""
        return self._clients[fault in SLOW].fire(asking(self.server.base))

    def meet(self, fault, need, weak=True):
        """The call whose query for a need meets the fault."""
        good = self.good(weak)
        self.server.faults = {NEEDS[need].resource: fault}
        self.server.reset()
        is_slow = fault in SLOW
        answer, seconds = timed(self._clients[is_slow], asking(self.server.base))
        if said(answer) == said(good):
            cell = UNHARMED
        else:
            state, reason = gaps(answer)[NEEDS[need].key]
            cell = f"{answer.status_code}, {state}: {reason}" if state else f"{answer.status_code}: {reason}"
        return Try(answer, good, seconds, DEADLINES[is_slow] / 1000, cell)

    def tries(self, fault, others):
        """Each column of the page with what is behind it: one try, or one for each of the other needs."""
        return {
            "Patient": [self.meet(fault, "patient")],
            "Conditions": [self.meet(fault, "conditions", weak=False)],
            "Conditions, weak ankle": [self.meet(fault, "conditions")],
            "any other": [self.meet(fault, need) for need in others],
        }


def row(fault, tries):
    """The line of one fault. Needs that differ stand side by side, which the test does not let pass."""
    cells = (" / ".join(dict.fromkeys(one.cell for one in found)) for found in tries.values())
    return f"| {' | '.join((fault, FAULTS[fault], *cells))} |"


def page(rows):
    """The whole page."""
    rule = "| " + " | ".join("---" for _ in COLUMNS) + " |"
    return "\n".join([HEAD, f"| {' | '.join(COLUMNS)} |", rule, *rows, ""])


def main():
    """Print the page."""
    bench = Bench()
    try:
        print(page([row(fault, bench.tries(fault, OTHERS)) for fault in FAULTS]), end="")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
