"""One browser for the tests of a file. Where none is installed they are not collected; tests/conftest.py says so."""

import pytest

from tests.browser.browsing import ARGUMENTS, BROWSER

collect_ignore_glob = [] if BROWSER else ["test_*.py"]


@pytest.fixture(scope="module")
def browser():
    """The browser. Not for longer than a file: while it is open no other test could run a loop of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield opened
        opened.close()
