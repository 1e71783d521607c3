"""The command line: ``cds-service serve | check | try | ledger | keys | token | schema | render | export``."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cds_service.errors import FootDropError, InvalidKnowledgeError, KnowledgeError, RequestError
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings, read_settings
from cds_service.web.pages import NOT_APPROVED

if TYPE_CHECKING:
    from cds_service.authoring.trying import Attempt, Tried

TOKEN = "FHIR_ACCESS_TOKEN"  # noqa: S105  # the name of a variable
DEFAULT_BASE_URL = "https://foot-drop-cds.example.org/fhir"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it succeeded."""
    options = _parser().parse_args(arguments)
    try:
        settings = read_settings()
        return int(options.command(options, settings))
    except InvalidKnowledgeError as error:
        _say_problems(error.problems)
        return 1
    except FootDropError as error:
        print(f"cds-service: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"cds-service: {error.filename or 'input or output'}: {error.strerror}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cds-service", description=f"CDS Hooks service for foot drop. {NOT_APPROVED}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the service (settings: CDS_* environment variables)")
    serve.set_defaults(command=_serve)

    check = commands.add_parser("check", help="validate all of cards/ and run its cases")
    check.add_argument("--cards", type=Path, help="another folder than CDS_CARDS_DIR")
    check.add_argument("--on", type=dt.date.fromisoformat, metavar="DATE", help="the day of the check; default: today")
    check.add_argument("--next", action="store_true", help="as if the next versions in cards/next were live")
    check.set_defaults(command=_check)

    attempt = commands.add_parser(
        "try", help="fire a hook at a file of patient data, or at a FHIR server, and show the cards"
    )
    attempt.add_argument(
        "record", type=Path, nargs="?", metavar="PATIENT.json", help="a Bundle with the Patient and the record"
    )
    attempt.add_argument("--fhir-server", metavar="URL", help="ask this FHIR server instead, and show what was asked")
    attempt.add_argument("--patient", metavar="ID", help="the id of the Patient there")
    attempt.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"the bearer token for it; default: the variable {TOKEN}"
    )
    attempt.add_argument("--hook", default="patient-view", help="the hook to fire; default: patient-view")
    attempt.add_argument("--draft", type=Path, metavar="ORDERS.json", help="a Bundle of draft orders, or one order")
    attempt.add_argument("--at", help="evaluation time (ISO 8601 with zone); default: now")
    attempt.add_argument(
        "--why", action="store_true", help="every criterion: met, not met or unknown, and by which record"
    )
    attempt.add_argument("--next", action="store_true", help="as if the next versions in cards/next were live")
    attempt.add_argument("--json", action="store_true", help="the response as it goes over the wire")
    attempt.set_defaults(command=_try)

    ledger = commands.add_parser("ledger", help="look after what the service keeps of calls and feedback")
    upkeep = ledger.add_subparsers(required=True, metavar="WHAT")
    upkeep.add_parser("stats", help="how much there is, from when to when").set_defaults(command=_ledger_stats)
    exporting = upkeep.add_parser("export", help="every row as a line of JSON")
    exporting.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the lines go")
    exporting.add_argument("--since", type=dt.date.fromisoformat, metavar="DATE", help="from this day on; default: all")
    exporting.set_defaults(command=_ledger_export)
    reading = upkeep.add_parser("comments", help="what users wrote about cards, as lines of JSON, for who has the key")
    reading.add_argument("--since", type=dt.date.fromisoformat, metavar="DATE", help="outcomes from this day on")
    reading.add_argument("--card", type=UUID, metavar="UUID", help="of this card only")
    reading.set_defaults(command=_ledger_comments)
    purging = upkeep.add_parser("purge", help="delete what is older than some days")
    purging.add_argument("--older-than", type=int, required=True, metavar="DAYS", help="what is older than that")
    purging.set_defaults(command=_ledger_purge)

    _add_client_commands(commands)

    schema = commands.add_parser("schema", help="write the JSON Schemas that editors use for cards/")
    schema.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the schemas go")
    schema.set_defaults(command=_schema)

    render = commands.add_parser("render", help="write the pages that a committee reads and signs, as HTML and JSON")
    render.add_argument("--out", type=Path, metavar="DIR", help="where the pages go")
    render.add_argument("--safety", type=Path, metavar="FILE", help="renew the generated part of the safety file")
    render.add_argument("--on", type=dt.date.fromisoformat, metavar="DATE", help="the day of the pages; default: today")
    render.add_argument("--next", action="store_true", help="as if the next versions in cards/next were live")
    render.set_defaults(command=_render)

    export = commands.add_parser("export", help="write the knowledge as FHIR R4 resources, to read and compare")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the resources go")
    export.add_argument("--base-url", default=DEFAULT_BASE_URL, help=f"of the URLs; default: {DEFAULT_BASE_URL}")
    export.add_argument(
        "--date", type=dt.date.fromisoformat, help="of the resources; default: the newest date in the knowledge"
    )
    export.set_defaults(command=_export)
    return parser


def _add_client_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    keys = commands.add_parser("keys", help="make a key pair for a CDS client: to try what only a registered one may")
    keys.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the two keys go")
    keys.add_argument("--algorithm", default="ES384", help="what the key is to sign with; default: ES384")
    keys.add_argument("--kid", help="the id of the key; default: a new one")
    keys.set_defaults(command=_keys)

    token = commands.add_parser("token", help="mint a client token with such a key, good for one request")
    token.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key that `keys` made")
    token.add_argument("--issuer", required=True, metavar="ISS", help="as the client is registered")
    token.add_argument("--endpoint", required=True, metavar="URL", help="the exact URL that is called")
    token.add_argument("--tenant", help="the organisation, if one is agreed")
    token.add_argument(
        "--expires-in", type=int, default=300, metavar="SECONDS", help="how long it is good; default: 300"
    )
    token.set_defaults(command=_token)


def _serve(_: argparse.Namespace, settings: Settings) -> int:
    import uvicorn

    from cds_service.app import create_app
    from cds_service.authoring.exhibits import CaseExhibits
    from cds_service.log_lines import set_up_logging
    from cds_service.serving import server_options

    set_up_logging(settings.log_level, settings.log_format)
    app = create_app(settings, exhibits=partial(CaseExhibits, settings))
    print(
        f"Start page: {settings.base_url}/\nDiscovery:  {settings.base_url}/cds-services\n"
        f"Mode:       {app.state.mode}\nKnowledge:  {NOT_APPROVED}",
        flush=True,
    )
    uvicorn.run(app, **server_options(app, settings))
    return 0


def _check(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.authoring.checking import check_knowledge

    on = options.on or dt.datetime.now(dt.UTC).date()
    report = check_knowledge(options.cards or settings.cards_dir, settings, on, next_versions=options.next)
    _say_problems(report.problems)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(report.summary)
    return 1 if report.problems else 0


def _try(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.authoring.trying import Attempt, show_cards, show_trace

    try:
        at = dt.datetime.fromisoformat(options.at) if options.at else dt.datetime.now(dt.UTC)
    except ValueError as error:
        raise FootDropError(f"--at {options.at}: write a time as 2026-06-15T12:00+02:00") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=settings.zone)
    if bool(options.record) == bool(options.fhir_server) or bool(options.fhir_server) != bool(options.patient):
        raise FootDropError("say what to try: PATIENT.json, or --fhir-server URL with --patient ID")
    attempt = Attempt(settings, load_knowledge(settings.cards_dir, next_versions=options.next), at)
    draft = _read(options.draft) if options.draft else None
    try:
        if options.fhir_server:
            decision = _ask(options, settings, attempt, draft)
        else:
            decision = attempt.fire(_read(options.record), options.hook, draft)
        if options.json:
            print(json.dumps(decision.as_json(), indent=2, ensure_ascii=False))
        else:
            print(show_cards(decision.response))
        if options.why:
            print(show_trace(decision))
    except RequestError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    return 0


def _ask(options: argparse.Namespace, settings: Settings, attempt: Attempt, draft: dict[str, Any] | None) -> Tried:
    from cds_service.authoring.asking import LiveServer, show_asked

    try:
        token = options.token_file.read_text(encoding="ascii") if options.token_file else os.environ.get(TOKEN, "")
    except UnicodeDecodeError:
        raise FootDropError(f"{options.token_file} holds no token") from None
    server = LiveServer(options.fhir_server, options.patient, token.strip())
    try:
        return server.fire(settings, attempt, options.hook, draft)
    finally:
        print(show_asked(server.asked), file=sys.stderr)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FootDropError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise FootDropError(f"{path} holds no FHIR resource")
    return data


def _ledger_stats(_: argparse.Namespace, settings: Settings) -> int:
    from cds_service.ledger import open_database
    from cds_service.ledger.upkeep import stats

    for table, found in stats(open_database(settings.database_url)).items():
        period = f", {found['first']} to {found['last']}" if found["rows"] else ""
        print(f"{table}: {found['rows']} rows{period}")
    return 0


def _ledger_export(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.ledger import open_database
    from cds_service.ledger.upkeep import export

    since = dt.datetime.combine(options.since, dt.time(), settings.zone) if options.since else None
    lines = 0
    with options.out.open("w", encoding="utf-8") as file:
        for line in export(open_database(settings.database_url), since):
            file.write(line + "\n")
            lines += 1
    print(f"{options.out}: {lines} rows")
    return 0


def _ledger_comments(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.ledger import open_database
    from cds_service.ledger.comments import open_comments, read_comments

    comments = open_comments(settings.database_url, settings.comment_key_file)
    since = dt.datetime.combine(options.since, dt.time(), settings.zone) if options.since else None
    uuid = str(options.card) if options.card else None
    unreadable = 0
    with closing(open_database(settings.database_url)) as database:
        for line in read_comments(database, comments, dt.datetime.now(dt.UTC), since, uuid):
            if line is None:
                unreadable += 1
            else:
                print(json.dumps(line))
    if unreadable:
        print(
            f"{unreadable} more cannot be read: the key file has no key for them, or they were altered or moved",
            file=sys.stderr,
        )
    return 0


def _ledger_purge(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.ledger import open_database
    from cds_service.ledger.upkeep import expire, purge

    if options.older_than < 0:
        raise FootDropError("--older-than takes a number of days")
    now = dt.datetime.now(dt.UTC)
    with closing(open_database(settings.database_url)) as database:
        expired = expire(database, now)
        gone = purge(database, now - dt.timedelta(days=options.older_than))
    gone["comment"] += expired
    for table, rows in gone.items():
        print(f"{table}: {rows} rows deleted")
    return 0


def _keys(options: argparse.Namespace, _: Settings) -> int:
    from cds_service.trust.minting import make_keys

    for path in make_keys(options.out, options.algorithm, options.kid):
        print(path)
    return 0


def _token(options: argparse.Namespace, _: Settings) -> int:
    from cds_service.trust.minting import mint

    lifetime = dt.timedelta(seconds=options.expires_in)
    at = dt.datetime.now(dt.UTC)
    print(mint(options.key, options.issuer, options.endpoint, at, lifetime, options.tenant))
    return 0


def _schema(options: argparse.Namespace, _: Settings) -> int:
    from cds_service.authoring.json_schema import write_schemas

    for path in write_schemas(options.out):
        print(path)
    return 0


def _render(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.authoring.exhibits import CaseExhibits
    from cds_service.knowledge.pages.limits import with_limits
    from cds_service.web.pages import Pages, write

    if not options.out and not options.safety:
        raise FootDropError("say what to write: --out DIR, or --safety FILE")
    knowledge = load_knowledge(settings.cards_dir, next_versions=options.next)
    if options.out:
        today = options.on or dt.datetime.now(settings.zone).date()
        written = list(write(Pages(knowledge, CaseExhibits(settings, knowledge)), options.out, today))
        print(f"{options.out / 'index.html'}: {len(written)} files. {NOT_APPROVED}")
    if options.safety:
        text = options.safety.read_text(encoding="utf-8")
        options.safety.write_text(with_limits(text, knowledge, str(options.safety)), encoding="utf-8")
        print(options.safety)
    return 0


def _export(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.fhir.export.bundle import export_knowledge, write

    exported = export_knowledge(settings.cards_dir, options.base_url, options.date)
    written = list(write(exported, options.out))
    print(f"{written[0]}: {len(written) - 1} resources, each in a file of its own as well. {NOT_APPROVED}")
    for path in sorted(set(options.out.glob("*.json")) - set(written)):
        print(f"warning: {path} is not of this export", file=sys.stderr)
    return 0


def _say_problems(problems: list[KnowledgeError]) -> None:
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
