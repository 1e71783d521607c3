"""A patient's file with its relative dates filled in, as they are now: ``cds_service.examples`` tells what they are.

python -m fhir_examples.dates fhir_examples/patients/cauda-equina.json > /tmp/patient.json
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

from cds_service.examples import fill

if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(fill(Path(name).read_text(encoding="utf-8"), dt.datetime.now(dt.UTC)))
