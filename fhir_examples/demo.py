"""Start the service, fire every golden call at it over HTTP, show the cards, compare with the golden ones, stop it.

python -m fhir_examples.demo              all calls; exit status 1 if one answer is not the golden one
python -m fhir_examples.demo cauda        those whose file name contains the word
python -m fhir_examples.demo --quiet      no cards, only what is compared
python -m fhir_examples.demo --update     write the golden answers anew: review the difference before you commit it
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from typing import Any

from fhir_examples.golden import FOLDER, GoldenCall, golden_calls

_START_SECONDS = 30


@contextlib.contextmanager
def service() -> Iterator[int]:
    """The real service in a process of its own: default settings, a ledger that nobody keeps. Gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    environment |= {"CDS_PORT": str(port), "CDS_DATABASE_URL": "sqlite://", "CDS_LOG_LEVEL": "warning"}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds_service", "serve"],
            cwd=FOLDER.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            if not _listens(port, process):
                said.seek(0)
                raise SystemExit(f"the service did not start:\n{said.read().decode(errors='replace')}")
            yield port
        finally:
            process.terminate()
            try:
                process.wait(_START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    return False


def fire(port: int, call: GoldenCall) -> tuple[int, Any, dt.datetime, dt.datetime]:
    """Fire one call: status, answer, when it was sent and when the answer came. Never across midnight."""
    while True:
        sent = dt.datetime.now(dt.UTC)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps(call.request(sent))
        connection.request("POST", call.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        received = json.loads(answer.read())
        connection.close()
        now = dt.datetime.now(dt.UTC)
        if now.date() == sent.date():  # else the service may have judged the next day: fire again
            return answer.status, received, sent, now


def show(call: GoldenCall, status: int, answer: Any) -> None:
    """An answer as a person reads it."""
    print(f"\n{'─' * 100}\n{call.data['hook']}  {call.file.stem}\n{textwrap.fill(call.data['about'], 100)}\n")
    if status != 200:
        print(f"  {status}: {answer['issue'][0]['diagnostics']}")
        return
    if not answer["cards"]:
        print("  No card.")
    for number, card in enumerate(answer["cards"], 1):
        _show_card(number, card)


def _show_card(number: int, card: dict[str, Any]) -> None:
    print(f"  {number}. [{card['indicator'].upper()}] {card['summary']}")
    print(f"     {card['source']['topic']['code']}")
    for paragraph in card.get("detail", "").split("\n"):
        if paragraph.strip():
            print(textwrap.fill(paragraph, 96, initial_indent="     | ", subsequent_indent="     | "))
    for suggestion in card.get("suggestions", []):
        print(f"     {'*' if suggestion.get('isRecommended') else '-'} {suggestion['label']}")
        for action in suggestion["actions"]:
            print(f"         {action['type']}: {action['description']}")
    if reasons := card.get("overrideReasons"):
        print("     dismiss: " + " / ".join(reason["display"] for reason in reasons))
    print()


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; 0 if every answer is the golden one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="", help="only the calls whose file name contains it")
    parser.add_argument("--quiet", action="store_true", help="no cards, only what is compared")
    parser.add_argument("--update", action="store_true", help="write the golden answers anew")
    options = parser.parse_args(arguments)
    calls = [call for call in golden_calls() if options.word in call.file.stem]
    if options.update:
        from fhir_examples.update import update  # noqa: PLC0415  # only this needs the service's own code

        for file in update(calls):
            print(f"written: {file}")
        calls = [call for call in golden_calls() if options.word in call.file.stem]
    if not calls:
        print(f"no call's file name contains {options.word!r}")
        return 1
    differences = {}
    with service() as port:
        for call in calls:
            status, answer, sent, received = fire(port, call)
            if not options.quiet:
                show(call, status, answer)
            differences[call.file.name] = call.difference(status, answer, sent, received, f"http://127.0.0.1:{port}")
    return _report(differences)


def _report(differences: dict[str, str]) -> int:
    wrong = {name: difference for name, difference in differences.items() if difference}
    for name, difference in wrong.items():
        print(f"\n{name} is not the golden answer:\n{difference}")
    print(f"\n{len(differences)} calls fired over HTTP, {len(differences) - len(wrong)} golden answers.")
    if wrong:
        print("If the new answers are right: python -m fhir_examples.demo --update, then review the difference.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
