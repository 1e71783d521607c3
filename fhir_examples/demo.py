"""Start the service and a FHIR server of the example patients, fire every golden call over HTTP, compare, stop both.

Each call is fired with prefetch; and, where the EHR leaves nothing out, again without: then the service asks the FHIR
server. Both answers must be the golden one.

python -m fhir_examples.demo              all calls; exit status 1 if one answer is not the golden one
python -m fhir_examples.demo cauda        those whose file name contains the word
python -m fhir_examples.demo --quiet      no cards, only what is compared
python -m fhir_examples.demo --review     fire nothing: tell what the answers of today would change in the golden ones;
                                          exit status 1 if there is anything to tell
python -m fhir_examples.demo --update     the same, and write them: read what it tells before you commit
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
from collections.abc import Callable, Iterator
from typing import Any

from fhir_examples.golden import FOLDER, GoldenCall, golden_calls

_START_SECONDS = 30


def service() -> contextlib.AbstractContextManager[int]:
    """The real service in a process of its own: default settings, a ledger that nobody keeps. Gives its port."""
    settings = {"CDS_DATABASE_URL": "sqlite://", "CDS_LOG_LEVEL": "warning"}
    settings |= {"CDS_DEADLINE_MS": "10000"}  # a busy machine changes no answer
    return _process(lambda port: (["cds_service", "serve"], settings | {"CDS_PORT": str(port)}))


def fhir_server(at: dt.datetime) -> contextlib.AbstractContextManager[int]:
    """The FHIR server of the example patients, with their dates as at a moment. Gives its port."""
    arguments = ["fhir_examples.server", "--at", at.isoformat(), "--port"]
    return _process(lambda port: ([*arguments, str(port)], {}))


@contextlib.contextmanager
def _process(command: Callable[[int], tuple[list[str], dict[str, str]]]) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    module, settings = command(port)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")} | settings
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=FOLDER.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            if not _listens(port, process):
                said.seek(0)
                raise SystemExit(f"{module[0]} did not start:\n{said.read().decode(errors='replace')}")
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


def fire(port: int, path: str, request: dict[str, Any]) -> tuple[int, Any]:
    """Fire one call: status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(request), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


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
    parser.add_argument("--review", action="store_true", help="tell what would change in the golden answers")
    parser.add_argument("--update", action="store_true", help="the same, and write them anew")
    options = parser.parse_args(arguments)
    calls = [call for call in golden_calls() if options.word in call.file.stem]
    if not calls:
        print(f"no call's file name contains {options.word!r}")
        return 1
    if options.update or options.review:
        is_changed = _make_anew(calls, is_written=options.update)
        return 1 if options.review and is_changed else 0
    while True:
        at = dt.datetime.now(dt.UTC)
        differences, shown = _play(calls, at)
        if dt.datetime.now(dt.UTC).date() == at.date():  # else the service may have judged the next day: once more
            break
    if not options.quiet:
        for call, status, answer in shown:
            show(call, status, answer)
    return _report(differences)


def _make_anew(calls: list[GoldenCall], *, is_written: bool) -> bool:
    from fhir_examples.review import review  # noqa: PLC0415  # firing over HTTP needs no app in this process
    from fhir_examples.update import answered_anew, write  # noqa: PLC0415  # as above

    anew = list(answered_anew(calls))
    lines = list(review(calls, anew))
    if is_written:
        write(anew)
    print("\n".join(lines) if lines else f"Nothing changed in {len(calls)} golden answers.")
    if lines and not is_written:
        print("Nothing is written: --update does.")
    return bool(lines)


def _play(calls: list[GoldenCall], at: dt.datetime) -> tuple[dict[str, str], list[tuple[GoldenCall, int, Any]]]:
    """Fire the calls both ways: what is not golden in each answer, and the answers to the calls with prefetch."""
    differences, shown = {}, []
    with service() as port, fhir_server(at) as fhir_port:

        def played(call: GoldenCall, request: dict[str, Any]) -> tuple[int, Any, str]:
            status, answer = fire(port, call.path, request)
            now = dt.datetime.now(dt.UTC)
            return status, answer, call.difference(status, answer, at, now, f"http://127.0.0.1:{port}")

        for call in calls:
            status, answer, difference = played(call, call.request(at))
            differences[f"{call.file.name}, with prefetch"] = difference
            shown.append((call, status, answer))
            if call.is_all_read:
                request = call.request_by_server(at, f"http://127.0.0.1:{fhir_port}/fhir")
                *_, difference = played(call, request)
                differences[f"{call.file.name}, without prefetch"] = difference
    return differences, shown


def _report(differences: dict[str, str]) -> int:
    wrong = {name: difference for name, difference in differences.items() if difference}
    for name, difference in wrong.items():
        print(f"\n{name}: not the golden answer:\n{difference}")
    print(f"\n{len(differences)} calls fired over HTTP, {len(differences) - len(wrong)} golden answers.")
    if wrong:
        print("What changed, for people: python -m fhir_examples.demo --review. To keep it: --update.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
