"""What the reader costs and what it may hold: no heavy library, no clinical word."""

import subprocess
import sys
from pathlib import Path

import cds_service.fhir as package

FOLDER = Path(package.__file__).parent


def test_neither_reading_nor_writing_imports_fhir_resources():
    script = (
        "import sys, cds_service.fhir.reader, cds_service.fhir.order_writer\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('fhir', 'fhir_core', 'pydantic', 'httpx')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=FOLDER.parents[1]
    )
    assert found.stdout.strip() == "[]"


def test_the_package_reads_no_clock():
    for path in FOLDER.glob("*.py"):
        source = path.read_text()
        assert ".now()" not in source, path
        assert ".today()" not in source, path
        assert "import time" not in source, path
