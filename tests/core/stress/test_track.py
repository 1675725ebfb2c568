from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.data import load
from core.errors import BadInput
from core.runs.record import Run
from core.stress import place, track
from core.stress.settings import NAMES, Settings
from core.victims import load_victim
from tests.core.models.onnx.graphs import small, written
from tests.core.purified import SPOILT, purified_run

FEW = Settings(count=30, strengths=(3,), attacked=20)


def ignore(stage: str, done: float, total: float) -> None:
    """A report that nobody reads."""


def other_camera(folder: Path, names: list[str]) -> str:
    """The digits a little darker and larger, as an archive whose classes stand in another order."""
    images = load("digits")
    order = [int(name) for name in reversed(names)]
    x = (images.x_test[:200].float() * 0.9).byte().repeat_interleave(2, 2).repeat_interleave(2, 3)
    y = np.array([order.index(int(label)) for label in images.y_test[:200]])
    x = x.permute(0, 2, 3, 1).numpy()
    file = folder / "other.npz"
    np.savez(file, x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:], class_names=list(reversed(names)))
    return str(file)


def test_a_whole_result(run: Run, tmp_path: Path) -> None:
    moved: list[tuple[str, float, float]] = []
    settings = Settings(count=60, strengths=(1,), attacked=20, images=other_camera(tmp_path, list("0123456789")))
    found = track.run_track(run, settings, lambda *told: moved.append(told))
    assert [(cell["corruption"], cell["strength"]) for cell in found["cells"]] == [(name, 1) for name in NAMES]
    assert found["asr_kind"] == "true"
    assert found["clean"]["asr_before"] > 95
    assert found["shifted"]["ba_before"] > 80, "classes in another order are told by their names"
    assert found["worst_class"]["class"] == SPOILT
    assert found["worst_class"]["beyond_chance"]
    assert [row["epsilon"] for row in found["robustness"]] == ["2/255", "8/255"]
    assert 0 < found["confidence"]["after"] <= 100
    assert place.result(run) == found
    assert place.partial(run) is None
    assert [done for stage, done, _ in moved if stage == "corruptions"] == list(range(len(NAMES) + 1))
    assert moved[-1][1] == moved[-1][2]


def test_what_is_done_is_kept_and_gone_on_with(run: Run) -> None:
    def breaks(stage: str, done: float, total: float) -> None:
        if (stage, done) == ("corruptions", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track.run_track(run, FEW, breaks)
    kept = place.partial(run)
    assert kept is not None
    assert len(kept["cells"]) == 3
    told: list[tuple[str, float]] = []
    found = track.run_track(run, FEW, lambda stage, done, total: told.append((stage, done)))
    assert [done for stage, done in told if stage == "corruptions"] == list(range(len(NAMES) - 3 + 1))
    assert found["cells"][:3] == kept["cells"]
    told.clear()
    assert track.run_track(run, FEW, lambda stage, done, total: told.append((stage, done))) == found
    assert told == [("load", 0)], "what is whole is read"


def test_the_same_seed_gives_the_same_figures(run: Run) -> None:
    one, other = (track.run_track(each, FEW, ignore) for each in (run, purified_run("other")))
    for part in ("clean", "cells", "classes", "robustness", "confidence", "sentence"):
        assert one[part] == other[part]


def test_a_strangers_model_is_measured_with_the_reconstructed_trigger(field: Run) -> None:
    found = track.run_track(field, FEW, ignore)
    assert (found["asr_kind"], found["target"]) == ("estimated", field.data["target"])
    assert found["clean"]["asr_before"] > 80


def test_an_onnx_file_is_put_beside_its_purified_graph(field: Run, tmp_path: Path) -> None:
    net = load_victim("digits-badnets").net
    given = written(small(net), tmp_path / "theirs.onnx")  # type: ignore[arg-type]
    with torch.no_grad():
        net.fc.bias[SPOILT] -= 1000  # type: ignore[union-attr, operator, index]
    written(small(net), field.folder / "model.onnx")  # type: ignore[arg-type]
    (field.folder / "model.safetensors").unlink()
    field.update(spec=field.data["spec"] | {"weights": str(given), "arch": None})
    found = track.run_track(field, FEW, ignore)
    assert found["clean"]["ba_before"] > 95
    assert (found["worst_class"]["class"], found["worst_class"]["after"]) == (SPOILT, 0)


def test_a_model_whose_trigger_is_unknown_has_no_attack_success(field: Run) -> None:
    (field.folder / "trigger.npz").unlink()
    found = track.run_track(field, FEW, ignore)
    assert found["asr_kind"] == "none"
    assert found["mean_asr_before"] is None


def test_a_second_folder_of_other_classes_is_refused(run: Run, tmp_path: Path) -> None:
    path = other_camera(tmp_path, list("0123456789"))
    held = dict(np.load(path))
    held["class_names"] = np.array([*held["class_names"][:-1], "zero"])
    np.savez(path, **held)
    with pytest.raises(BadInput) as fault:
        track.run_track(run, Settings(images=path), ignore)
    assert fault.value.code == "shifted_classes"
    assert fault.value.facts["names"] == "0, zero"


def test_a_result_that_was_swapped_and_images_that_are_gone_are_refused(run: Run, field: Run, tmp_path: Path) -> None:
    run.update(outputs={"model.safetensors": "0" * 64})
    with pytest.raises(BadInput) as fault:
        track.run_track(run, FEW, ignore)
    assert fault.value.code == "result_changed"
    spec = field.data["spec"] | {"images": str(tmp_path / "gone")}
    field.update(spec=spec, inputs={"images": "0" * 64})
    with pytest.raises(BadInput) as fault:
        track.run_track(field, FEW, ignore)
    assert fault.value.code in ("input_gone", "images_changed")
