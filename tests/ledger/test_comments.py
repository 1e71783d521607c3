"""What users write about cards: not kept by default; where it is, encrypted, for its card only and for a time."""

import asyncio
import datetime as dt
import json
import stat
from dataclasses import replace
from uuid import uuid4

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from cds_service.cli import main
from cds_service.decision.records import SealedComment
from cds_service.errors import LedgerError, SettingsError
from cds_service.ledger.comments import CUT, LONGEST, Comments, open_comments, read_comments
from cds_service.ledger.courier import Courier
from cds_service.ledger.upkeep import expire, export, purge, stats
from cds_service.settings import Settings, read_settings
from tests.api.test_privacy import logged
from tests.api.world import PATIENT, call, foot_drop, path_of, problem, wait_until, with_context
from tests.ledger.records import CLIENT, NOON, make_call, make_card, make_entry, make_override
from tests.ledger.stores import TABLES, drained, keep, report

VIEW = path_of("patient-view")
WORDS = "ZZMARK Erika Mustermann walks in her own brace"
OLD, NEW = "A" * 43 + "=", "-_" * 21 + "8="
DAYS = 3650  # by the clock of the machine, too, nothing of what is received at noon is over
COMMENTS = Comments([OLD], DAYS)
DAY = dt.timedelta(days=1)
OVER = NOON + DAYS * DAY


def wrote(card, words=WORDS, minutes=0, comments=COMMENTS, **changes):
    """An override with a comment."""
    made = make_override(card, minutes, **changes)
    return replace(made, comment=comments.seal(CLIENT, card, made.outcome_timestamp, words))


def found(ledger, comments=COMMENTS, at=NOON, **narrowed):
    """What users wrote, as it can be read; None for what cannot."""
    lines = read_comments(ledger.database, comments, at, **narrowed)
    return [line and line["comment"] for line in lines]


def looked_after(ledger, keep=None):
    """A courier's first round, which looks after the ledger."""
    courier = Courier(ledger.journal, ledger.database, keep)
    courier.start()
    courier.stop(5)


def at_rest(ledger):
    """A ledger that was looked after and will not be for a day."""
    wait_until(lambda: ledger.courier._looked_after_at > 0, "the ledger to be looked after")
    return ledger


def change(ledger, **values):
    with ledger.database.engine.begin() as connection:
        connection.execute(sa.update(TABLES["comment"]).values(**values))


def now():
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def card():
    return str(uuid4())


@pytest.fixture
def key_file(tmp_path):
    return tmp_path / "comments.key"


class TestOverHTTP:
    @pytest.fixture
    def serve(self, client_with, store, key_file):
        def start(days=3650, **settings):
            if days:
                key_file.write_text(OLD + "\n")
                settings |= {"comment_keep_days": days, "comment_key_file": key_file}
            files = {"journal_file": store.folder / "journal.sqlite3", "ledger_key_file": store.folder / "ledger.key"}
            return client_with(database_url=store.url, **files, **settings)

        return start

    @pytest.fixture
    def read(self, store, key_file, monkeypatch, capsys):
        """What the command line gives out: lines, and what it says beside them."""

        def run(*options):
            monkeypatch.setenv("CDS_DATABASE_URL", store.url)
            monkeypatch.setenv("CDS_COMMENT_KEY_FILE", str(key_file))
            capsys.readouterr()
            assert main(["ledger", "comments", *options]) == 0
            said = capsys.readouterr()
            return [json.loads(line) for line in said.out.splitlines()], said.err

        return run

    def view(self, served):
        """The first card of a call about a patient of whom nothing is dismissed yet."""
        made = json.loads(json.dumps(call("patient-view", foot_drop())).replace(PATIENT, f"pat-{uuid4()}"))
        (card, *_) = served.fire(with_context(made)).json()["cards"]
        return card

    def entry(self, card, /, **members):
        reason = {name: card["overrideReasons"][0][name] for name in ("system", "code")}
        made = {
            "card": card["uuid"],
            "outcome": "overridden",
            "outcomeTimestamp": "2026-11-22T12:00:00Z",
            "overrideReason": {"reason": reason, "userComment": WORDS},
        }
        return made | members

    def report(self, served, *entries):
        return served.post(f"{VIEW}/feedback", json={"feedback": entries})

    def delivered(self, served):
        def is_drained():
            return served.get("/health/ready").json()["ledger"]["journal"]["waiting"] == 0

        wait_until(is_drained, "the journal to drain")

    @pytest.mark.parametrize("days", [0, 3650])
    def test_no_file_no_log_and_no_answer_holds_the_words_whether_they_are_kept_or_not(
        self, serve, store, caplog, capfd, days
    ):
        caplog.set_level("DEBUG")
        served = serve(days)
        card = self.view(served)
        answer = self.report(served, self.entry(card))
        assert answer.json() == {"feedback": [{"status": "kept"}]}
        files = store.bytes()
        self.delivered(served)
        files += store.bytes()
        assert card["uuid"].encode() in files
        assert b"ZZMARK" not in files
        assert b"Mustermann" not in files
        assert "ZZMARK" not in logged(caplog) + "".join(capfd.readouterr()) + served.get("/metrics").text
        assert len(store.rows("comment")) == bool(days)

    def test_nothing_of_a_comment_is_kept_by_default_and_no_key_is_made(self, serve, store, key_file):
        assert Settings().comment_keep_days == 0
        served = serve(0)
        self.report(served, self.entry(self.view(served)))
        self.delivered(served)
        assert len(store.rows("feedback")) == 1
        assert store.rows("comment") == []
        assert not key_file.exists()

    def test_who_has_the_key_reads_each_comment_with_what_the_card_said(self, serve, read):
        served = serve()
        card = self.view(served)
        self.report(served, self.entry(card))
        self.delivered(served)
        (line,), said = read()
        (shown,) = line.pop("recommendations")
        assert shown["id"] == card["source"]["topic"]["code"]
        assert shown["version"]
        assert line == {
            "client": "open",
            "card": card["uuid"],
            "outcome": "overridden",
            "outcome_at": "2026-11-22T12:00:00+00:00",
            "reason_code": card["overrideReasons"][0]["code"],
            "comment": WORDS,
        }
        assert said == ""

    def test_the_comments_of_one_card_or_from_one_day_on_can_be_asked_for(self, serve, read):
        served = serve()
        cards = [self.view(served) for _ in range(2)]
        for card, day in zip(cards, ("2026-10-01", "2026-10-02"), strict=True):
            self.report(served, self.entry(card, outcomeTimestamp=f"{day}T12:00:00Z"))
        self.delivered(served)
        assert [line["card"] for line in read()[0]] == [card["uuid"] for card in cards]
        assert [line["card"] for line in read("--since", "2026-10-02")[0]] == [cards[1]["uuid"]]
        assert [line["card"] for line in read("--card", cards[0]["uuid"].upper())[0]] == [cards[0]["uuid"]]
        assert read("--card", str(uuid4())) == ([], "")

    @pytest.mark.parametrize(
        "words",
        ["\x00", "a\x00b", "\x1b[2J\x9b\r\n\u202e", '"}\\', "Ä ß 足下垂 👣", "' OR 1=1 --", "x"],
        ids=["NUL", "inner NUL", "terminal", "JSON", "scripts", "SQL", "short"],
    )
    def test_whatever_a_user_writes_comes_back_and_is_harmless_in_a_terminal(
        self, serve, read, store, words, capsys, key_file
    ):
        served = serve()
        reason = {"userComment": words}
        assert self.report(served, self.entry(self.view(served), overrideReason=reason)).status_code == 200
        self.delivered(served)
        assert [line["comment"] for line in read()[0]] == [words]
        capsys.readouterr()
        lines = [json.dumps(line) for line in read_comments(store.database(), open_comments(store.url, key_file), NOON)]
        assert len(lines) == 1
        assert lines[0].isascii()
        assert lines[0].isprintable()

    def test_a_long_comment_is_cut_with_a_mark(self, serve, read):
        served = serve()
        for length in (LONGEST, LONGEST + 1, 200_000):
            reason = {"userComment": "足" * length}
            answer = self.report(served, self.entry(self.view(served), overrideReason=reason))
            assert answer.status_code == 200
        self.delivered(served)
        assert sorted(line["comment"] for line in read()[0]) == ["足" * LONGEST] + ["足" * LONGEST + CUT] * 2

    def test_as_many_comments_as_a_report_can_bring_are_kept(self, serve, read):
        served = serve()
        card = self.view(served)
        words = "x" * (LONGEST - 1)
        seconds = [f"2026-11-22T12:{number // 60:02}:{number % 60:02}Z" for number in range(100)]
        reason = {"userComment": words}
        entries = [self.entry(card, outcomeTimestamp=second, overrideReason=reason) for second in seconds]
        assert self.report(served, *entries).status_code == 200
        self.delivered(served)
        lines, said = read()
        assert [line["comment"] for line in lines] == [words] * 100
        assert said == ""

    @pytest.mark.parametrize("comment", ["", " \n\t", None])
    def test_no_words_are_no_comment(self, serve, store, comment):
        served = serve()
        made = self.entry(self.view(served))
        made["overrideReason"]["userComment"] = comment
        assert self.report(served, made).status_code == 200
        self.delivered(served)
        assert len(store.rows("feedback")) == 1
        assert store.rows("comment") == []

    def test_a_comment_on_no_card_of_this_service_is_not_kept(self, serve, store):
        served = serve()
        answer = self.report(served, self.entry(self.view(served), card=WORDS))
        assert answer.json() == {"feedback": [{"status": "no card of this service"}]}
        self.delivered(served)
        assert store.rows("comment") == []
        assert b"ZZMARK" not in store.bytes()

    @pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # refused before the database has a say
    def test_no_refusal_and_no_log_of_one_repeats_a_comment(self, serve, store, caplog, capfd, monkeypatch):
        caplog.set_level("DEBUG")
        served = serve()
        card = self.view(served)
        self.delivered(served)
        well, reason = self.entry(card), {"userComment": WORDS * 30_000}
        half = json.dumps({"feedback": [well]}).replace("ZZMARK", "ZZMARK \\ud800")
        answers = [
            self.report(served, well, self.entry(card, outcome="ignored")),
            self.report(served, well, self.entry(card, overrideReason={"userComment": [WORDS]})),
            served.post(f"{VIEW}/feedback", content=half, headers={"content-type": "application/json"}),
            self.report(served, *[well] * 1001),
            self.report(served, self.entry(card, overrideReason=reason)),
        ]
        monkeypatch.setattr("cds_service.ledger.journal.Journal.append", _full)
        answers.append(self.report(served, well))
        monkeypatch.setattr("cds_service.ledger.journal.Journal.append", _broken)
        answers.append(self.report(served, well))
        assert [answer.status_code for answer in answers] == [400, 400, 400, 413, 413, 503, 500]
        assert [problem(answer, answer.status_code)["severity"] for answer in answers] == ["error"] * 7
        everything = "".join(answer.text for answer in answers) + logged(caplog) + "".join(capfd.readouterr())
        assert "fault in call" in everything
        assert "ZZMARK" not in everything
        assert b"ZZMARK" not in store.bytes()

    def test_a_comment_waits_encrypted_while_the_database_is_down_and_is_read_when_it_is_back(
        self,
        serve,
        read,
        store,
        impatient,  # noqa: ARG002  # the courier looks again soon
    ):
        served = serve()
        card = self.view(served)
        self.delivered(served)
        store.go_down()
        assert self.report(served, self.entry(card)).status_code == 200
        journal = b"".join(file.read_bytes() for file in store.folder.glob("journal.sqlite3*"))
        assert card["uuid"].encode() in journal
        assert b"ZZMARK" not in store.bytes()
        store.come_back()
        self.delivered(served)
        assert [line["comment"] for line in read()[0]] == [WORDS]

    def test_nothing_new_is_kept_once_comments_are_switched_off_and_what_is_kept_can_be_read_until_it_expires(
        self, serve, read, store
    ):
        served = serve(3650)
        self.report(served, self.entry(self.view(served)))
        self.delivered(served)
        served = serve(0)
        self.report(served, self.entry(self.view(served)))
        self.delivered(served)
        assert len(store.rows("feedback")) == 2
        assert [line["comment"] for line in read()[0]] == [WORDS]
        assert expire(store.database(), NOON + 3651 * DAY) == 1

    def test_comments_whose_key_is_gone_are_counted_and_the_others_are_read(self, serve, read, key_file):
        served = serve()
        for _ in range(2):
            self.report(served, self.entry(self.view(served)))
        self.delivered(served)
        key_file.write_text(NEW)
        lines, said = read()
        assert lines == []
        assert said.startswith("2 more cannot be read: ")
        key_file.write_text(f"{NEW}\n{OLD}\n")
        assert [line["comment"] for line in read()[0]] == [WORDS] * 2


async def _full(*_):
    raise LedgerError(WORDS)


async def _broken(*_):
    raise RuntimeError(WORDS)


class TestKept:
    def test_the_same_report_twice_keeps_one_comment(self, store, ledger, card):
        for _ in range(3):
            report(ledger, wrote(card), wrote(card))
        drained(ledger)
        assert len(store.rows("comment")) == 1
        assert found(ledger) == [WORDS]

    def test_each_entry_on_a_card_has_its_own_comment(self, ledger, card):
        report(ledger, wrote(card, "first"), wrote(card, "second", 5), wrote(card, "other reason", 5, code="other"))
        drained(ledger)
        assert sorted(found(ledger)) == ["first", "other reason", "second"]

    def test_the_words_of_the_report_that_was_received_last_stand_whatever_the_order_of_arrival(self, store, card):
        first, second = (store.open(f"replica-{number}.sqlite3") for number in range(2))
        report(second, wrote(card, "mended"), received_at=NOON + DAY)
        drained(second)
        report(first, wrote(card, "with a slip"), received_at=NOON)
        drained(first)
        assert found(first) == ["mended"]
        report(first, wrote(card, "mended again"), received_at=NOON + 2 * DAY)
        drained(first)
        assert found(first) == ["mended again"]

    def test_a_comment_that_comes_with_a_repeat_is_kept_and_a_repeat_without_one_leaves_it(self, ledger, card):
        without = make_override(card)
        for entry in (without, wrote(card), without):
            report(ledger, entry)
        drained(ledger)
        assert found(ledger) == [WORDS]

    def test_the_ledger_tells_apart_no_entries_by_what_a_user_wrote(self, store, ledger, card):
        report(ledger, wrote(card, "yes"), wrote(card, "no"), make_override(card))
        drained(ledger)
        assert len(store.rows("feedback")) == 1

    def test_a_comment_on_a_list_of_folded_recommendations_names_all_of_them(self, ledger, card):
        folded = [make_card(card, recommendation_id=name, state="folded") for name in ("FD-A", "FD-B")]
        keep(ledger, make_call(make_card(), *folded))
        report(ledger, wrote(card))
        drained(ledger)
        (line,) = read_comments(ledger.database, COMMENTS, NOON)
        assert line["recommendations"] == [{"id": name, "version": "0.1.0"} for name in ("FD-A", "FD-B")]

    def test_a_comment_whose_card_is_not_there_is_read_without_a_recommendation(self, ledger, card):
        keep(ledger, make_call(make_card(card), client="elsewhere"))
        drained(ledger)
        ledger._recent.clear()
        with ledger.database.engine.begin() as connection:
            connection.execute(sa.delete(TABLES["card"]))
        report(ledger, wrote(card))
        drained(ledger)
        (line,) = read_comments(ledger.database, COMMENTS, NOON)
        assert (line["recommendations"], line["comment"]) == ([], WORDS)

    def test_the_export_leaves_comments_out_and_the_numbers_count_them(self, store, ledger, card):
        report(ledger, wrote(card))
        drained(ledger)
        ((secret,),) = store.rows("comment", "secret")
        lines = list(export(ledger.database))
        assert {json.loads(line)["table"] for line in lines} == {"feedback"}
        assert secret.decode() not in "".join(lines)
        assert stats(ledger.database)["comment"]["rows"] == 1


class TestMoved:
    """Somebody who can write in the database, without the key, cannot make a comment speak of something else."""

    def test_a_comment_that_was_moved_to_another_card_is_not_given_out(self, ledger, card):
        report(ledger, wrote(card), make_override(other := str(uuid4())))
        drained(ledger)
        assert found(ledger, uuid=card) == [WORDS]
        change(ledger, card_uuid=other)
        assert found(ledger, uuid=card) == []
        assert found(ledger, uuid=other) == [None]

    def test_comments_that_were_swapped_are_not_given_out(self, store, ledger):
        cards = [str(uuid4()) for _ in range(2)]
        report(ledger, *(wrote(card) for card in cards))
        drained(ledger)
        secrets = dict(store.rows("comment", "card_uuid", "secret"))
        with ledger.database.engine.begin() as connection:
            table = TABLES["comment"]
            for card, other in zip(cards, reversed(cards), strict=True):
                moved = sa.update(table).where(table.c.card_uuid == card).values(secret=secrets[other])
                connection.execute(moved)
        assert found(ledger) == [None, None]

    def test_a_comment_that_was_moved_to_another_time_or_client_is_not_given_out(self, ledger, card):
        report(ledger, wrote(card), make_override(card, 5))
        report(ledger, make_override(card), client="elsewhere")
        drained(ledger)
        change(ledger, outcome_at=NOON + dt.timedelta(minutes=5))
        assert found(ledger) == [None]
        change(ledger, outcome_at=NOON, client="elsewhere")
        assert found(ledger) == [None]
        change(ledger, client=CLIENT)
        assert found(ledger) == [WORDS]

    def test_a_comment_that_was_altered_or_sealed_by_somebody_else_is_not_given_out(self, store, ledger, card):
        report(ledger, wrote(card))
        drained(ledger)
        ((secret,),) = store.rows("comment", "secret")
        altered = secret[:40] + (b"A" if secret[40:41] != b"A" else b"B") + secret[41:]
        theirs = Comments([NEW], DAYS).seal(CLIENT, card, NOON, "forged").secret.encode()
        for content in (altered, theirs, b"", b"ZZMARK", Fernet(OLD).encrypt(b"[]"), Fernet(OLD).encrypt(b"\xff")):
            change(ledger, secret=content)
            assert found(ledger) == [None]


class TestExpiry:
    def test_a_comment_whose_time_is_over_is_not_given_out_though_it_is_not_deleted_yet(self, store, ledger, card):
        report(ledger, wrote(card))
        drained(ledger)
        assert found(ledger, at=OVER - dt.timedelta(seconds=1)) == [WORDS]
        assert found(ledger, at=OVER) == []
        assert len(store.rows("comment")) == 1

    @pytest.mark.parametrize("period", [None, 4000 * DAY], ids=["for ever", "longer"])
    def test_it_goes_by_itself_and_the_rest_of_its_report_stays(self, store, ledger, card, period):
        at_rest(ledger)
        report(ledger, wrote(card), received_at=now() - DAYS * DAY)
        report(ledger, wrote(fresh := str(uuid4())), received_at=now() - (DAYS - 1) * DAY)
        drained(ledger)
        assert len(store.rows("comment")) == 2
        looked_after(ledger, period)
        assert store.rows("comment", "card_uuid") == [(fresh,)]
        assert len(store.rows("feedback")) == 2

    def test_nothing_of_it_is_left_in_any_file_of_sqlite(self, sqlite_store, card):
        ledger = at_rest(sqlite_store.open())
        report(ledger, wrote(card, "short"), wrote(card, "x" * LONGEST, 5), received_at=now() - DAYS * DAY)
        drained(ledger)
        secrets = [secret for (secret,) in sqlite_store.rows("comment", "secret")]
        assert len(secrets) == 2
        assert all(secret[-100:] in sqlite_store.bytes() for secret in secrets)
        looked_after(ledger)
        left = sqlite_store.bytes()
        assert card.encode() in left
        assert not [secret for secret in secrets if secret[:100] in left or secret[-100:] in left]

    def test_nothing_of_words_that_were_replaced_is_left_in_any_file_of_sqlite(self, sqlite_store, card):
        ledger = at_rest(sqlite_store.open())
        report(ledger, wrote(card, "with a slip"), received_at=now() - DAY)
        drained(ledger)
        ((slip,),) = sqlite_store.rows("comment", "secret")
        report(ledger, wrote(card, "mended"), received_at=now())
        drained(ledger)
        looked_after(ledger)
        assert slip[-40:] not in sqlite_store.bytes()
        assert found(ledger) == ["mended"]

    def test_it_goes_with_its_report_when_that_is_purged(self, store, ledger, card):
        report(ledger, wrote(card), received_at=NOON)
        report(ledger, wrote(fresh := str(uuid4())), received_at=NOON + 2 * DAY)
        drained(ledger)
        assert purge(ledger.database, NOON + DAY)["comment"] == 1
        assert store.rows("comment", "card_uuid") == [(fresh,)]

    def test_the_command_that_purges_also_takes_what_has_expired(self, store, monkeypatch, capsys, card):
        ledger = at_rest(store.open())
        report(ledger, wrote(card), received_at=now() - DAYS * DAY)
        drained(ledger)
        monkeypatch.setenv("CDS_DATABASE_URL", store.url)
        assert main(["ledger", "purge", "--older-than", "4000"]) == 0
        assert "comment: 1 rows deleted" in capsys.readouterr().out
        assert store.rows("comment") == []
        assert len(store.rows("feedback")) == 1

    def test_a_repeat_does_not_prolong_its_time(self, ledger, card):
        for days in (0, 10, DAYS - 1):
            report(ledger, wrote(card), received_at=NOON + days * DAY)
        drained(ledger)
        assert found(ledger, at=OVER - dt.timedelta(seconds=1)) == [WORDS]
        assert found(ledger, at=OVER) == []

    def test_a_repeat_does_not_bring_it_back(self, store, ledger, card):
        report(ledger, wrote(card))
        drained(ledger)
        assert expire(ledger.database, OVER) == 1
        report(ledger, wrote(card), received_at=OVER)
        drained(ledger)
        assert store.rows("comment") == []

    def test_it_is_looked_for_again_soon_when_the_database_was_down_on_the_day(self, store, impatient, card):  # noqa: ARG002
        first = at_rest(store.open())
        report(first, wrote(card), received_at=now() - DAYS * DAY)
        drained(first)
        assert len(store.rows("comment")) == 1
        first.close()
        store.go_down()
        again = store.open()
        wait_until(lambda: again.courier.is_stuck, "the courier to notice")
        store.come_back()
        wait_until(lambda: not again.courier.is_stuck, "the courier to be well")
        assert store.rows("comment") == []


class TestKeys:
    def test_new_comments_are_sealed_with_the_first_key_and_old_ones_are_still_read_after_a_rotation(self, card):
        before = COMMENTS.seal(CLIENT, card, NOON, "before")
        rotated = Comments([NEW, OLD], DAYS)
        after = rotated.seal(CLIENT, card, NOON, "after")
        read = [rotated.read(CLIENT, card, NOON, sealed.secret.encode()) for sealed in (before, after)]
        assert read == ["before", "after"]
        assert COMMENTS.read(CLIENT, card, NOON, after.secret.encode()) is None
        assert Comments([NEW]).read(CLIENT, card, NOON, before.secret.encode()) is None

    def test_the_same_words_are_never_sealed_the_same(self, card):
        assert len({COMMENTS.seal(CLIENT, card, NOON, WORDS).secret for _ in range(10)}) == 10

    def test_half_a_character_does_no_harm(self, card):
        sealed = COMMENTS.seal(CLIENT, card, NOON, "\ud800")
        assert COMMENTS.read(CLIENT, card, NOON, sealed.secret.encode()) == "\ud800"

    def test_the_file_is_made_beside_a_sqlite_database_and_is_its_owners_alone(self, tmp_path, card):
        url = f"sqlite:///{tmp_path}/ledger.sqlite3"
        sealed = open_comments(url, None, DAYS).seal(CLIENT, card, NOON, WORDS)
        (file,) = tmp_path.iterdir()
        assert file.name == "ledger.comments.key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert open_comments(url, None).read(CLIENT, card, NOON, sealed.secret.encode()) == WORDS
        assert open_comments(url, file).read(CLIENT, card, NOON, sealed.secret.encode()) == WORDS

    def test_reading_makes_no_key(self, tmp_path, key_file, card):
        sealed = COMMENTS.seal(CLIENT, card, NOON, WORDS).secret.encode()
        assert open_comments(f"sqlite:///{tmp_path}/ledger.sqlite3", None).read(CLIENT, card, NOON, sealed) is None
        with pytest.raises(LedgerError, match="cannot be used: FileNotFoundError"):
            open_comments(f"sqlite:///{tmp_path}/ledger.sqlite3", key_file)
        assert list(tmp_path.iterdir()) == []

    def test_a_ledger_that_nobody_keeps_has_a_key_that_nobody_keeps(self, tmp_path, monkeypatch, card):
        monkeypatch.chdir(tmp_path)
        comments = open_comments("sqlite://", None, DAYS)
        sealed = comments.seal(CLIENT, card, NOON, WORDS)
        assert comments.read(CLIENT, card, NOON, sealed.secret.encode()) == WORDS
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"SECRET",
            OLD.encode() + b"\nSECRET",
            OLD.encode()[:-1],
            b"!" + OLD.encode(),
            b"ab" * 32,
            b"\xff",
        ],
    )
    @pytest.mark.parametrize("url", ["sqlite:///{}/l.sqlite3", "postgresql://u:hidden@127.0.0.1:1/x"])
    def test_a_file_with_anything_else_than_keys_stops_the_start_and_its_content_is_not_repeated(
        self, client_with, tmp_path, key_file, content, url
    ):
        key_file.write_bytes(content)
        files = {"journal_file": tmp_path / "journal.sqlite3", "ledger_key_file": tmp_path / "ledger.key"}
        wanted = {"database_url": url.format(tmp_path), "comment_keep_days": 1, "comment_key_file": key_file}
        with pytest.raises(LedgerError) as refused:
            client_with(**files, **wanted)
        said = str(refused.value)
        assert str(key_file) in said
        assert not [word for word in ("SECRET", "AAAA", "abab", "hidden") if word in said.replace(str(key_file), "")]
        assert key_file.read_bytes() == content

    def test_postgresql_does_not_start_without_a_file_and_makes_none(self, monkeypatch, key_file):
        monkeypatch.setenv("CDS_DATABASE_URL", "postgresql://u:hidden@db/x")
        assert read_settings().comment_keep_days == 0
        monkeypatch.setenv("CDS_COMMENT_KEEP_DAYS", "30")
        with pytest.raises(SettingsError, match="needs CDS_COMMENT_KEY_FILE") as refused:
            read_settings()
        assert "hidden" not in str(refused.value)
        monkeypatch.setenv("CDS_COMMENT_KEY_FILE", str(key_file))
        settings = read_settings()
        with pytest.raises(LedgerError, match="cannot be used: FileNotFoundError"):
            open_comments(settings.database_url, settings.comment_key_file, settings.comment_keep_days)
        with pytest.raises(LedgerError, match="needs CDS_COMMENT_KEY_FILE"):
            open_comments(settings.database_url, None)
        assert not key_file.exists()

    @pytest.mark.parametrize("days", ["-1", "3651", "for ever"])
    def test_a_period_has_an_end(self, monkeypatch, days):
        monkeypatch.setenv("CDS_COMMENT_KEEP_DAYS", days)
        with pytest.raises(SettingsError, match="CDS_COMMENT_KEEP_DAYS"):
            read_settings()


def test_an_entry_of_a_journal_of_before_is_taken_over(store, card):
    entry = make_entry(card)
    older = json.dumps(
        {
            "client": CLIENT,
            "service_id": "s",
            "received_at": NOON.isoformat(),
            "entries": [
                {"card": card, "outcome": "accepted", "outcome_timestamp": entry.outcome_timestamp.isoformat()}
            ],
        }
    )
    ledger = store.open()
    asyncio.run(ledger.journal.append("feedback", older.encode()))
    ledger.courier.call()
    drained(ledger)
    assert store.rows("feedback", "card_uuid") == [(card,)]
    assert entry.comment is None


def test_the_types_that_travel_show_no_words(card):
    assert isinstance(wrote(card).comment, SealedComment)
    assert "ZZMARK" not in repr(wrote(card))
