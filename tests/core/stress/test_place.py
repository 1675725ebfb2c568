from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from core import paths
from core.errors import BadInput
from core.explore import place as explored
from core.files import write_json
from core.jobs import process
from core.runs.record import Run
from core.stress import place
from core.stress.settings import Settings, quick
from tests.conftest import Started


def made(run: Run, key: str = "a1", **more: Any) -> dict[str, Any]:
    return {"source": place.source_of(run), "key": key, "cells": [], **more}


def code_of(run: Run) -> str:
    with pytest.raises(BadInput) as fault:
        place.require_pair(run)
    assert fault.value.facts == {"run": run.id}
    return fault.value.code


def test_a_run_that_goes_on_or_keeps_no_purified_model_is_refused(run: Run) -> None:
    place.require_pair(run)
    run.update(status="running", worker=process.identity())
    assert code_of(run) == "stress_run_going"
    run.update(status="done", worker=None)
    (run.folder / "model.safetensors").unlink()
    assert code_of(run) == "no_purified_model"
    assert code_of(Run(paths.RECORDINGS / "signs-wanet")) == "no_purified_model"


def test_a_result_is_of_the_models_the_run_has_now(run: Run) -> None:
    assert place.result(run) is None
    place.keep(run, made(run))
    assert place.partial(run, "a1") == place.partial(run) == made(run)
    assert place.partial(run, "b2") is None
    file = place.finish(run, made(run))
    assert file == explored.folder_of(run) / "stress.json"
    assert place.result(run) == made(run)
    assert place.partial(run) is None
    place.keep(run, made(run, "other settings"))
    place.finish(run, made(run))
    assert place.partial(run) == made(run, "other settings"), "goes on another day"
    content = (run.folder / "model.safetensors").read_bytes()
    (run.folder / "model.safetensors").write_bytes(content + b"\0")
    assert place.result(run) is None
    place.finish(run, made(run))
    assert [path.name for path in explored.folder_of(run).glob("stress*.json")] == ["stress.json"]


def test_a_graph_that_was_handed_out_is_the_purified_model(run: Run) -> None:
    (run.folder / "model.onnx").write_bytes(b"graph")
    place.require_pair(run)
    before = place.source_of(run)
    (run.folder / "model.onnx").write_bytes(b"another")
    assert place.source_of(run) != before


FULL, QUICK = ({"settings": {"strengths": [*make().strengths]}} for make in (Settings, quick))


def test_a_quick_result_never_takes_the_place_of_a_full_one(run: Run) -> None:
    explored.folder_of(run).mkdir()
    first = made(run, "q1", **QUICK)
    assert place.finish(run, first) == place.file_of(run, first)
    assert place.result(run) == first, "better than none"
    full, other = made(run, "f1", **FULL), made(run, "q2", **QUICK)
    place.finish(run, full)
    place.finish(run, other)
    assert place.result(run) == full
    assert place.result_of(run, "q2") == other
    assert place.result_of(run, "f1") == full
    assert place.result_of(run, "q1") is None
    assert place.file_of(run, other) != place.file_of(run, full)


def test_purifications_with_unclean_images_outlive_results_and_are_of_the_models_the_run_has_now(run: Run) -> None:
    rows = [{"kind": "labels", "share": 5, "cure": "holds"}]
    place.keep_contaminations(run, rows)
    for settings in (FULL, QUICK):
        place.finish(run, made(run, **settings))
    assert place.contaminations(run) == rows
    content = (run.folder / "model.safetensors").read_bytes()
    (run.folder / "model.safetensors").write_bytes(content + b"\0")
    assert place.contaminations(run) == []


def test_purifications_that_an_older_version_kept_in_the_result_are_found(run: Run) -> None:
    explored.folder_of(run).mkdir()
    place.finish(run, made(run, dirty=[{"kind": "labels", "share": 1}]))
    assert place.contaminations(run) == [{"kind": "labels", "share": 1}]


def test_nobody_else_is_on_the_track_meanwhile(run: Run) -> None:
    with place.alone(run):
        with pytest.raises(BadInput) as fault, place.alone(run):
            pytest.fail("two at once")
        assert (fault.value.code, fault.value.facts) == ("stress_going", {"run": run.id})
    with place.alone(run):
        pass


def test_other_settings_or_images_have_a_key_of_their_own(run: Run) -> None:
    settings = [Settings(), Settings(seed=1), quick(), Settings(images="a")]
    keys = {place.key_of(run, one) for one in settings} | {place.key_of(run, Settings(images="a"), "0f")}
    assert len(keys) == 5
    assert place.key_of(run, Settings()) == place.key_of(run, Settings())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff"])
def test_a_damaged_result_is_none(run: Run, content: bytes) -> None:
    explored.folder_of(run).mkdir()
    for name in ("stress.json", "stress-a1.json"):
        (explored.folder_of(run) / name).write_bytes(content)
    assert place.result(run) is None
    assert place.partial(run) is None


def test_a_recording_may_bring_its_own_result(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shipped"
    shutil.copytree(paths.RECORDINGS / "digits-badnets", folder)
    recording = Run(folder)
    write_json(folder / "stress.json", made(recording, "shipped"))
    assert place.result(recording) == made(recording, "shipped")
    explored.folder_of(recording).mkdir(parents=True)
    place.finish(recording, made(recording, "own"))
    assert place.result(recording)["key"] == "own"  # type: ignore[index]
    assert "own" not in (folder / "stress.json").read_text()


def test_one_process_at_a_time_and_none_that_explore_waits_for(run: Run, no_worker_starts: Started) -> None:
    place.start(run, "--quick")
    place.start(run)
    assert [command[1:] for command in no_worker_starts] == [["stress", str(run.folder), "--quick"]]
    assert place.job(run).at_work  # type: ignore[union-attr]
    assert explored.jobs(run) == []
