"""Takes the picture of a card in the README anew: ``python -m docs.images.retake``. Needs Chromium and Playwright.

The card is the example on the page of FD-AFO-01, as the service shows it; it runs for the moment of the picture.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).resolve().with_name("card.png")
ROOT = PICTURE.parents[2]
WIDTH = 860
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> None:
    """Start the service, take the picture, stop the service."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    settings = {"CDS_PORT": str(port), "CDS_DATABASE_URL": "sqlite://", "CDS_AUDIT_FILE": "audit"}
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | settings | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "cds_service", "serve"]
        service = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        try:
            _take(_ready(f"http://127.0.0.1:{port}"))
        finally:
            service.terminate()
            service.wait()
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} KiB")


def _ready(base: str) -> str:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{base}/health/ready", timeout=1).close()
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return base
    raise SystemExit("the service did not start")


def _take(base: str) -> None:
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--headless", "--no-sandbox"])
        page = opened.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
        page.goto(f"{base}/cards/FD-AFO-01")
        page.locator(".card").first.screenshot(path=PICTURE)
        opened.close()


if __name__ == "__main__":
    main()
