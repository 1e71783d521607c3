"""docs/command-line.md, from the parser of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from cds_service.cli import _parser
from docs.references.markdown import code, page, table

HEAD = (
    "After `make run` or `make test` the command is `.venv/bin/cds-service`; `python -m cds_service` is the same. "
    "Every command reads the settings of the environment: [configuration.md](configuration.md). The answer of a "
    "command goes to standard output, what is wrong to standard error; the exit code is 0 when it succeeded, 1 when "
    "it did not, 2 when the command was not understood."
)
Commands = Iterator[tuple[str, str, argparse.ArgumentParser]]


def command_line_page() -> str:
    """Every command with its arguments."""
    found = list(commands(_parser()))
    overview = table(("Command", "Does"), ((f"[`{name}`](#{name.replace(' ', '-')})", does) for name, does, _ in found))
    return page("Command line", HEAD, overview, *(_section(*command) for command in found))


def commands(parser: argparse.ArgumentParser) -> Commands:
    """Each command that can be given, as it is typed, with what it does."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            does = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                inner = list(commands(command))
                yield from inner or [(command.prog, does[name], command)]


def options(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What a command takes, without the help that each has."""
    for action in command._actions:
        if not isinstance(action, argparse._HelpAction):
            yield action


def _section(name: str, does: str, command: argparse.ArgumentParser) -> str:
    usage = " ".join(command.format_usage().removeprefix("usage: ").split())
    rows = [(_shown(action), "yes" if action.required else "", action.help or "") for action in options(command)]
    parts = [f"## {name}", f"{does[:1].upper()}{does[1:]}.", f"```\n{usage}\n```"]
    return "\n\n".join([*parts, table(("Argument", "Required", "Meaning"), rows)] if rows else parts)


def _shown(action: argparse.Action) -> str:
    if not action.option_strings:
        return code(action.metavar or action.dest)
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return ", ".join(code(f"{option}{value}") for option in action.option_strings)
