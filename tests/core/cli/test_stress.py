from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import paths
from core.cli import parser
from core.explore import place as explored
from core.files import write_json
from core.stress import place, track
from tests.core.purified import purified_run


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))


@pytest.fixture
def corruptions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """These alone, since all of them take minutes."""
    monkeypatch.setattr(track, "NAMES", request.param)


@pytest.mark.parametrize("corruptions", [("fog", "jpeg")], indirect=True)
def test_one_object_is_the_last_line_and_a_table_is_for_readers(
    corruptions: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = purified_run()
    assert parser.main(["stress", run.id, "--quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    asked = {"cells", "mean_loss", "worst", "classes", "robustness", "confidence", "sentence", "seconds"}
    assert asked <= set(found)
    cell = {"corruption", "strength", "ba_before", "ba_after", "asr_before", "asr_after", "ece_before", "ece_after"}
    assert len(found["cells"]) == 6
    assert all(cell <= set(entry) for entry in found["cells"])
    assert Path(found["file"]).exists()
    assert parser.main(["stress", run.id, "--quick"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(found["sentence"])
    assert "JPEG compression" in told
    assert f"towards class {found['target']}" in told
    assert "only the new scan named" not in told
    named = [{"target": found["target"], "second": 7, "kept": False}, {"target": 7, "second": None, "kept": True}]
    run.update(result=(run.data["result"] or {}) | {"purifications": named})
    assert parser.main(["stress", run.id, "--quick"]) == 0
    assert "Class 7, which only the new scan named" in capsys.readouterr().out


@pytest.mark.parametrize("corruptions", [("fog",)], indirect=True)
def test_a_quick_result_prints_its_own_figures_and_the_full_ones_stay(
    corruptions: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = purified_run()
    rows = [{"kind": "labels", "share": 5, "cure": "holds", "ba_before": 99.0, "ba_after": 98.0, "asr_before": 100.0,
             "asr_after": 1.0}]  # fmt: skip
    place.keep_contaminations(run, rows)
    found = []
    for more in ([], ["--quick"], ["--quick"]):
        assert parser.main(["stress", run.id, "--json", *more]) == 0
        found.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    full, quick, again = found
    assert [len(one["cells"]) for one in found] == [5, 3, 3]
    assert quick == again
    assert len({json.loads(Path(one["file"]).read_bytes())["key"] for one in found}) == 2
    assert [one["dirty"] for one in found] == [rows] * 3
    assert (place.result(run) or {})["cells"] == full["cells"]


def test_a_second_process_on_one_run_is_refused_and_leaves_the_note_alone(capsys: pytest.CaptureFixture[str]) -> None:
    run = purified_run()
    note = explored.note_of(run, place.KIND)
    with place.alone(run):
        write_json(note, {"stage": "of the one at work"})
        assert parser.main(["stress", run.id, "--quick"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "on the test track already" in line
        assert json.loads(note.read_bytes()) == {"stage": "of the one at work"}


@pytest.mark.parametrize("run", ["signs-wanet", "nowhere", "last"])
def test_what_cannot_be_driven_is_one_sentence(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.main(["stress", run]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_second_folder_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = purified_run()
    assert parser.main(["stress", run.id, "--images", str(tmp_path / "gone")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (paths.RECORDINGS / "digits-badnets" / "explore").exists()
