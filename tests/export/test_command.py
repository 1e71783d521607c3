"""``cds-service export``: the files on disk."""

import json

import pytest

from cds_service.cli import main


def test_the_bundle_and_each_resource_become_files(tmp_path, capsys, exported):
    assert main(["export", "--out", str(tmp_path)]) == 0
    bundle = json.loads((tmp_path / "foot-drop-knowledge.json").read_text(encoding="utf-8"))
    assert bundle == exported.bundle
    for entry in bundle["entry"]:
        one = entry["resource"]
        path = tmp_path / f"{one['resourceType']}-{one['id']}.json"
        assert json.loads(path.read_text(encoding="utf-8")) == one
    assert len(list(tmp_path.iterdir())) == len(bundle["entry"]) + 1
    assert "not been clinically approved" in capsys.readouterr().out


def test_running_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        assert main(["export", "--out", str(tmp_path / name)]) == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_file_of_an_earlier_export_is_named_and_left_alone(tmp_path, capsys):
    old = tmp_path / "ValueSet-gone.json"
    old.write_text("{}")
    assert main(["export", "--out", str(tmp_path)]) == 0
    assert "ValueSet-gone.json is not of this export" in capsys.readouterr().err
    assert old.read_text() == "{}"


def test_address_and_date_can_be_handed_in(tmp_path):
    arguments = ["--base-url", "https://hospital.example.org/fhir", "--date", "2027-01-31"]
    assert main(["export", "--out", str(tmp_path), *arguments]) == 0
    one = json.loads((tmp_path / "PlanDefinition-FD-AFO-01.json").read_text(encoding="utf-8"))
    assert one["url"] == "https://hospital.example.org/fhir/PlanDefinition/FD-AFO-01"
    assert one["date"] == "2027-01-31"


def test_nothing_is_written_when_the_address_is_refused(tmp_path, capsys):
    assert main(["export", "--out", str(tmp_path / "new"), "--base-url", "nowhere"]) == 1
    assert "base URL" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_date_that_is_none_is_refused(tmp_path):
    with pytest.raises(SystemExit):
        main(["export", "--out", str(tmp_path), "--date", "yesterday"])
