"""Keyed hashes in the place of ids, and the file of their keys."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from cds_service.ledger import LedgerError, Pseudonymizer, open_pseudonyms
from cds_service.ledger.pseudonyms import random_pseudonyms, read_pseudonyms

OLD, NEW = "0a" * 32, "f1" * 32


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.key"


def test_the_same_id_has_the_same_hash_in_every_process_with_the_key(file):
    first, second = read_pseudonyms(file), read_pseudonyms(file)
    assert first.of("ehr", "patient", "pat-77") == second.of("ehr", "patient", "pat-77")


def test_the_hash_says_nothing_of_the_id_and_fits_its_column(file):
    made = read_pseudonyms(file).of("ehr", "patient", "pat-77" * 100)
    assert len(made) == 40
    assert set(made) <= set("0123456789abcdef")


def test_another_client_kind_id_or_key_makes_another_hash():
    ours, theirs = Pseudonymizer([b"k" * 32]), Pseudonymizer([b"l" * 32])
    made = {
        ours.of("ehr", "patient", "1"),
        ours.of("other-ehr", "patient", "1"),
        ours.of("ehr", "user", "1"),
        ours.of("ehr", "patient", "2"),
        theirs.of("ehr", "patient", "1"),
        ours.of("ehr", "patient1", ""),
        ours.of("ehrpatient", "", "1"),
    }
    assert len(made - {""}) == 6
    assert random_pseudonyms().of("ehr", "patient", "1") != random_pseudonyms().of("ehr", "patient", "1")


@pytest.mark.parametrize("nobody", ["", None])
def test_nobody_has_no_hash(nobody):
    assert random_pseudonyms().of("ehr", "encounter", nobody) == ""


def test_new_hashes_are_of_the_first_key_and_old_ones_are_still_found_after_a_rotation(file):
    file.write_text(OLD + "\n")
    before = read_pseudonyms(file).of("ehr", "patient", "pat-77")
    file.write_text(f"{NEW}\n{OLD}\n")
    rotated = read_pseudonyms(file)
    after = rotated.of("ehr", "patient", "pat-77")
    assert after != before
    assert rotated.all_of("ehr", "patient", "pat-77") == [after, before]


def test_the_key_file_is_made_once_and_is_its_owners_alone(file):
    read_pseudonyms(file)
    key = file.read_bytes()
    read_pseudonyms(file)
    assert file.read_bytes() == key
    assert len(bytes.fromhex(key.decode())) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["ledger.key"]


def test_processes_that_start_together_agree_on_one_key(tmp_path):
    for number in range(10):
        file = tmp_path / f"{number}.key"
        with ThreadPoolExecutor(8) as threads:
            made = threads.map(lambda _, file=file: read_pseudonyms(file).of("ehr", "patient", "1"), range(8))
            assert len(set(made)) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"ab" * 15, OLD.encode() + b"\nc0ffee", b"SECRET is no hexadecimal", b"\xff\xfeSECRET", b"abc"],
)
def test_a_key_file_that_is_too_short_or_no_key_is_refused_and_its_content_is_not_repeated(file, content):
    file.write_bytes(content)
    with pytest.raises(LedgerError) as refused:
        read_pseudonyms(file)
    said = str(refused.value)
    assert str(file) in said
    for word in ("SECRET", "c0ffee", "0a0a", "abab"):
        assert word not in said.replace(str(file), "")
    assert file.read_bytes() == content


def test_a_key_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "folder.key").mkdir()
    for path in (tmp_path / "folder.key", tmp_path / "no" / "such" / "folder" / "key"):
        with pytest.raises(LedgerError, match="cannot be used"):
            read_pseudonyms(path)


def test_the_key_stands_beside_a_sqlite_database_unless_it_is_named(tmp_path, file):
    open_pseudonyms(f"sqlite:///{tmp_path}/l.sqlite3", None)
    open_pseudonyms(f"sqlite:///{tmp_path}/l.sqlite3", file)
    assert {one.name for one in tmp_path.iterdir()} == {"l.key", "ledger.key"}


def test_postgresql_needs_a_key_file_as_its_replicas_share_it(file):
    with pytest.raises(LedgerError, match="CDS_LEDGER_KEY_FILE") as refused:
        open_pseudonyms("postgresql://u:secret@db/x", None)
    assert "secret" not in str(refused.value)
    assert open_pseudonyms("postgresql://u:secret@db/x", file).of("ehr", "patient", "1")


def test_a_ledger_that_nobody_keeps_has_a_key_that_nobody_keeps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_pseudonyms("sqlite://", None).of("ehr", "patient", "1")
    assert not list(tmp_path.iterdir())
