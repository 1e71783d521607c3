"""The service with a clock that a test moves: it believes the time that stands in the file TEST_CLOCK_FILE."""

import datetime as dt
import os
import sys
from functools import partial
from pathlib import Path

from cds_service import app
from cds_service.cli import main

FILE = Path(os.environ["TEST_CLOCK_FILE"])


def clock():
    return dt.datetime.fromisoformat(FILE.read_text())


if __name__ == "__main__":
    app.create_app = partial(app.create_app, clock=clock)
    sys.exit(main(["serve"]))
