"""Runs the commands of a page as a reader would: in one shell, in a folder of its own with copies of the project."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from cds_service.settings import Settings
from tests.docs.pages import ROOT
from tests.docs.snippets import Block

SERVICE, FHIR_SERVER = "8080", "8090"
_SERVER = re.compile(
    r"^((?:\w+=\S+ )*)(?:cds-service serve|make run|(python -m fhir_examples\.server\b[^#\n]*))(?: *#.*)?$",
    re.MULTILINE,
)
_PRELUDE = """
set -eo pipefail
trap 'for pid in $(cat "$BLOCKS"/*.pid 2>/dev/null); do kill $pid 2>/dev/null || true; done' EXIT
# Starts a program that goes on, in place of the one before, and waits until its port answers.
background() {
  local port=$1; shift
  if [ -e "$BLOCKS/$port.pid" ]; then kill "$(cat "$BLOCKS/$port.pid")"; wait "$(cat "$BLOCKS/$port.pid")" || true; fi
  "$@" >"$BLOCKS/$port.log" 2>&1 &
  echo $! >"$BLOCKS/$port.pid"
  for _ in $(seq 1200); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    kill -0 "$(cat "$BLOCKS/$port.pid")" 2>/dev/null || break
    sleep 0.05
  done
  cat "$BLOCKS/$port.log"; return 1
}
"""


class PageError(AssertionError):
    """A page says what is not so."""


def lacks(block: Block) -> str | None:
    """What a block needs and is not there yet."""
    if block.note != "needs":
        return None
    kind, _, name = block.said.partition(" ")
    if kind == "setting":
        there = name.removeprefix("CDS_").lower() in Settings.model_fields
    else:
        there = importlib.util.find_spec(name) is not None
    return None if there else f"{block} is not run: there is no {block.said} yet"


def run_page(blocks: list[Block], folder: Path) -> None:
    """Run the blocks that are to be run. Raises PageError naming the first that does otherwise than the page says."""
    page = _Page(folder)
    before: Block | None = None
    for block in blocks:
        if lacks(block):
            before = None
            continue
        if block.note == "file":
            page.add(block, f"mkdir -p \"$(dirname '{block.said}')\"\ncp {page.kept(block)} '{block.said}'")
        elif block.is_run:
            page.add(block, page.command_of(block))
            before = block
        elif block.note == "output" and before is not None:
            page.shown.append((before, block))
    page.run()


@dataclass
class _Page:
    folder: Path
    shown: list[tuple[Block, Block]] = field(default_factory=list)
    steps: list[tuple[Block, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.blocks = self.folder / "blocks"
        self.home = self.folder / "home"
        self.blocks.mkdir()
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("cards", "fhir_examples", "docs"):
            shutil.copytree(ROOT / name, self.home / name, ignore=ignored)
        commands = self.folder / "bin"
        commands.mkdir()
        for name, program in (("cds-service", "-m cds_service"), ("python", ""), ("python3", "")):
            (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {program} "$@"\n', encoding="utf-8")
            (commands / name).chmod(0o755)
        (self.home / ".venv").mkdir()
        (self.home / ".venv" / "bin").symlink_to(commands)
        self.ports = {SERVICE: _free_port(), FHIR_SERVER: _free_port()}

    def with_our_ports(self, text: str) -> str:
        return re.sub(r"\b(8080|8090)\b", lambda found: self.ports[found[0]], text)

    def kept(self, block: Block) -> Path:
        """A file with what the block holds."""
        path = self.blocks / f"{block.line}.{block.language or 'txt'}"
        path.write_text(self.with_our_ports(block.body), encoding="utf-8")
        return path

    def command_of(self, block: Block) -> str:
        path = self.kept(block)
        if block.language == "python":
            return f"python3 {path}"
        path.write_text(_SERVER.sub(self._in_background, path.read_text(encoding="utf-8")), encoding="utf-8")
        return f". {path}"

    def _in_background(self, found: re.Match[str]) -> str:
        if found[2]:
            return f"background {self.ports[FHIR_SERVER]} {found[2]} --port {self.ports[FHIR_SERVER]}"
        return f"background {self.ports[SERVICE]} env {found[1]} cds-service serve"

    def add(self, block: Block, command: str) -> None:
        self.steps.append((block, command))

    def _script(self) -> str:
        lines = [_PRELUDE]
        words = "\n".join(block.body for block, _ in self.steps)
        starts_it = any(found[2] is None for found in _SERVER.finditer(words))
        if f"127.0.0.1:{SERVICE}" in words and not starts_it:
            lines.append(f"background {self.ports[SERVICE]} cds-service serve")
        for block, command in self.steps:
            out = self._out(block)
            lines.append(f"echo {block.line} >{self.blocks}/at")
            if block.note == "fails":
                lines.append(
                    f"if {{ {command}; }} >{out} 2>&1; then echo 'this should have failed' >>{out}; exit 1; fi"
                )
            else:
                lines.append(f"{{ {command}\n}} >{out} 2>&1")
        return "\n".join(lines)

    def _out(self, block: Block) -> Path:
        return self.blocks / f"{block.line}.out"

    def run(self) -> None:
        script = self.folder / "page.sh"
        script.write_text(self._script(), encoding="utf-8")
        environment = {
            "PATH": f"{self.folder}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "BLOCKS": str(self.blocks),
            "CDS_PORT": self.ports[SERVICE],
        }
        self._run_in_a_group(["bash", str(script)], environment)
        for block, shown in self.shown:
            real = self._out(block).read_text(encoding="utf-8")
            for port, ours in self.ports.items():
                real = real.replace(ours, port)
            if complaint := difference(shown, real):
                raise PageError(f"{shown}: {complaint}\nwhat {block} prints:\n{textwrap.indent(real, '    ')}")

    def _run_in_a_group(self, command: list[str], environment: dict[str, str]) -> None:
        """What it leaves running is ended with it, whatever happens."""
        said = self.folder / "said"
        with said.open("w") as out:
            shell = subprocess.Popen(
                command, cwd=self.home, env=environment, stdout=out, stderr=out, start_new_session=True
            )
            try:
                failed = shell.wait(timeout=600)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
        if failed:
            self._explain(said.read_text(encoding="utf-8"))

    def _explain(self, said: str) -> None:
        at = self.blocks / "at"
        line = at.read_text(encoding="utf-8").strip() if at.exists() else ""
        for block, _ in self.steps:
            if str(block.line) == line:
                out = self._out(block).read_text(encoding="utf-8")
                raise PageError(f"{block} fails:\n{textwrap.indent(block.body, '    ')}\n{out}{said}")
        raise PageError(said)


def difference(shown: Block, real: str) -> str | None:
    """What a page shows of an output that is not in it; `…` stands for anything."""
    if shown.language == "json":
        return _unlike(json.loads(shown.body), json.loads(real), "it")
    pattern = ".*?".join(re.escape(part) for part in shown.body.strip().split("…"))
    return None if re.fullmatch(pattern, real.strip(), re.DOTALL) else "this is not what is printed"


def _unlike(shown: object, real: object, at: str) -> str | None:
    """The page shows a part: members and later items may be left out, texts end where they show `…`."""
    if isinstance(shown, dict):
        if not isinstance(real, dict) or shown.keys() - real.keys():
            return f"{at} has not all of {sorted(shown)}"
        found = (_unlike(value, real[key], f"{at}.{key}") for key, value in shown.items())
    elif isinstance(shown, list):
        if not isinstance(real, list) or len(shown) > len(real):
            return f"{at} has fewer items"
        found = (_unlike(value, real[index], f"{at}[{index}]") for index, value in enumerate(shown))
    elif isinstance(shown, str) and "…" in shown:
        pattern = ".*".join(re.escape(part) for part in shown.split("…"))
        return None if isinstance(real, str) and re.fullmatch(pattern, real, re.DOTALL) else f"{at} is {real!r}"
    else:
        return None if shown == real else f"{at} is {real!r}"
    return next((complaint for complaint in found if complaint), None)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
