"""What CI looks for besides the tests: known faults in what is pinned, and secrets in what git knows.

    python .ci/audit.py                      both
    python .ci/audit.py --osv URL            another address of the service that knows the faults
    python .ci/audit.py --folder DIR         another folder than this one

Standard library only. Faults are asked of OSV (https://osv.dev) in one request with the names and versions of
requirements/run.txt; where it cannot be reached, one line says so and nothing fails. Secrets are looked for here, by
their form; what is known to be none stands in .ci/known_secrets, with its reason.
"""

import argparse
import hashlib
import json
import math
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OSV = "https://api.osv.dev/v1/querybatch"
SECONDS = 10
ACCEPTED: dict[str, str] = {}
"""Faults that do not concern us: their id in OSV, and why."""
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
FORMS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a private JWK": re.compile(r"[\"']d[\"']\s*:\s*[\"'][A-Za-z0-9_-]{32,}[\"']"),
    "a signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "a Fernet key": re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"),
    "a provider's token": re.compile(
        r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,}|glpat-[\w-]{20}|xox[abeoprs]-[\w-]{10,}"
        r"|AIza[\w-]{35}|pypi-AgE[\w-]{50,}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z]{34}|sk-[\w-]{32,})"
    ),
}
GUARDED = {
    "a password in an address": re.compile(r"://[^/@\s:\"']+:(?P<value>[^/@\s\"']{8,})@"),
    "a secret that is assigned": re.compile(
        r"(?i)(?:secret|token|passw(?:or)?d|api_?key|private_?key|client_?key)\w*[\"']?\s*[:=]\s*[\"']"
        r"(?P<value>[^\"'\s{}<>]{16,})[\"']"
    ),
}
"""Forms that also harmless texts have: only what looks random counts."""


class Found(NamedTuple):
    """Something that looks like a secret; it shows itself only by its digest."""

    path: str
    line: int
    form: str
    digest: str


def known_faults(requirements: str, osv: str) -> list[str]:
    """Each fault that OSV knows of a pinned package. Raises OSError or ValueError where it cannot be asked."""
    pinned = PINNED.findall(requirements)
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in pinned]
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(osv, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        results = json.load(answer)["results"]
    if len(results) != len(pinned):
        raise ValueError("not an answer for each package")
    return [
        f"{name} {version}: {fault['id']}"
        for (name, version), result in zip(pinned, results, strict=True)
        for fault in result.get("vulns", [])
        if fault["id"] not in ACCEPTED
    ]


def look_for_faults(folder: Path, osv: str) -> bool:
    """Say what is known; False if there is a fault."""
    requirements = folder / "requirements" / "run.txt"
    text = requirements.read_text(encoding="utf-8")
    try:
        faults = known_faults(text, osv)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"audit: known faults were not looked for: {osv} gave no answer ({type(error).__name__})")
        return True
    for fault in faults:
        print(f"audit: {fault}: see https://osv.dev", file=sys.stderr)
    if not faults:
        print(f"audit: no known fault in the {len(PINNED.findall(text))} packages of {requirements.name}")
    return not faults


def looks_random(value: str) -> bool:
    """Whether a text is rather made by a machine than by a person."""
    counts = Counter(value).values()
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    return bits >= 3.3 and bool(re.search(r"\d", value)) and bool(re.search(r"[A-Za-z]", value))


def secrets_in(path: str, text: str) -> Iterator[Found]:
    """What looks like a secret in a text."""
    for number, line in enumerate(text.splitlines(), 1):
        for form, pattern in FORMS.items():
            for match in pattern.finditer(line):
                yield Found(path, number, form, digest(match[0]))
        for form, pattern in GUARDED.items():
            for match in pattern.finditer(line):
                if looks_random(match["value"]):
                    yield Found(path, number, form, digest(match["value"]))


def digest(value: str) -> str:
    """A name for a secret that does not tell it."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def tracked(folder: Path) -> list[str]:
    """The files that git knows. Raises OSError or CalledProcessError where git cannot be asked."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=folder, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name and (folder / name).is_file()]


def read_known(folder: Path) -> set[tuple[str, str]]:
    """Path and digest of what is known to be no secret; behind each stands the reason."""
    file = folder / ".ci" / "known_secrets"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    entries = [line.split(maxsplit=2) for line in lines if line.strip() and not line.startswith("#")]
    for entry in entries:
        if len(entry) < 3:
            raise SystemExit(f"audit: .ci/known_secrets: an entry has a path, a digest and a reason: {' '.join(entry)}")
    return {(path, value) for path, value, _ in entries}


def look_for_secrets(folder: Path) -> bool:
    """Say what looks like a secret and is not known to be none; False if there is any."""
    try:
        names = tracked(folder)
    except (OSError, subprocess.CalledProcessError):
        print("audit: secrets were not looked for: git does not tell which files it knows")
        return True
    known, used, new = read_known(folder), set(), []
    for name in names:
        content = (folder / name).read_bytes()
        if b"\0" in content:
            continue
        for found in secrets_in(name, content.decode("utf-8", "replace")):
            if (found.path, found.digest) in known:
                used.add((found.path, found.digest))
            else:
                new.append(found)
    for found in new:
        print(f"audit: {found.path}:{found.line}: looks like {found.form} ({found.digest})", file=sys.stderr)
    for path, value in sorted(known - used):
        print(f"audit: .ci/known_secrets: {path} {value} is not there any more", file=sys.stderr)
    if not new and known == used:
        print(f"audit: no secret in the {len(names)} files that git knows")
    return not new and known == used


def main() -> int:
    """Look for both; 1 if there is anything to mend."""
    parser = argparse.ArgumentParser(description="Known faults in what is pinned, and secrets in what git knows.")
    parser.add_argument("--osv", default=OSV)
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    is_fine = [look_for_faults(options.folder, options.osv), look_for_secrets(options.folder)]
    return 0 if all(is_fine) else 1


if __name__ == "__main__":
    sys.exit(main())
