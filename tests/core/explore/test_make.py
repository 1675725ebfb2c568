from __future__ import annotations

import json

import numpy as np
import pytest

from core.cli.parser import main
from core.errors import BadInput
from core.explore import place
from core.explore.make import make
from core.explore.maps import make_map
from core.featuremap.neighbours import neighbours_of
from core.runs.record import Run
from core.suspicion import METHODS


def test_a_recording_is_explored_without_being_written_to(recording: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in recording.folder.iterdir())
    assert main(["explore", "digits-badnets", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    base = place.base(recording)
    assert base is not None
    assert sorted(path.name for path in recording.folder.iterdir()) == before
    samples = recording.samples
    assert samples is not None
    n = len(samples.label)
    assert said["points"] == n
    assert base.whens == ("before",)  # the recording keeps no purified weights
    assert base.features.shape[:2] == (1, n)
    assert base.near.shape == (1, n, place.NEIGHBOURS)
    assert base.scores.shape == (len(METHODS), 1, n)
    assert not len(base.thumbs)  # the record has pictures
    job = place.job(recording, "base")
    assert job is not None
    assert job.ended
    assert not job.failure
    expected = neighbours_of(base.features[0].astype(np.float32), 5).index.numpy()
    assert (expected[:, 0] == base.near[0, :, 0]).mean() > 0.95  # float16 may swap two that are as near


def test_the_answers_of_the_loaded_model_are_those_on_record(recording: Run) -> None:
    from core.explore.material import material
    from core.models.evaluate import answers

    stuff = material(recording)
    seen = answers(stuff.models[0], stuff.pixels()).numpy()
    assert (seen == recording.frame(0).answers).mean() > 0.995


def test_an_own_run_is_explored_before_and_after_and_anew_when_its_model_changes(own_run: Run) -> None:
    told: list[float] = []
    made = make(own_run, lambda stage, done, total: told.append(done / total))
    assert made.whens == ("before", "after")
    np.testing.assert_array_equal(made.features[0], made.features[1])  # the same weights twice
    assert place.folder_of(own_run) == own_run.folder / "explore"
    assert told == sorted(told)
    assert told[-1] == 1
    assert place.base(own_run) is not None
    (own_run.folder / "model.safetensors").unlink()
    assert place.base(own_run) is None

    with pytest.raises(BadInput) as fault:
        make_map(own_run, "pca", 3, lambda *_: None)
    assert fault.value.code == "explore_first"


def test_another_map_holds_both_models(own_run: Run) -> None:
    make(own_run, lambda *_: None)
    coords = make_map(own_run, "pca", 3, lambda *_: None)
    assert coords.shape == (2, len(own_run.samples.label), 3)  # type: ignore[union-attr]
    np.testing.assert_allclose(coords[0], coords[1], atol=1e-3 * np.abs(coords).max())
    np.testing.assert_array_equal(place.map_of(own_run, "pca", 3).coords, coords)  # type: ignore[union-attr]
    assert place.map_of(own_run, "tsne", 2) is None
    make(own_run, lambda *_: None)
    assert place.map_of(own_run, "pca", 3) is None  # of features that may have been others
    with pytest.raises(BadInput):
        make_map(own_run, "isomap", 2, lambda *_: None)


def test_with_the_features_of_every_frame_a_map_has_a_place_for_each_and_needs_no_network(own_run: Run) -> None:
    rng = np.random.default_rng(0)
    for index in range(own_run.frame_count):
        own_run.write_features(index, rng.normal(size=(len(own_run.frame(0).coords), 4)).astype(np.float16))
    assert main(["explore", "mine", "--map", "pca", "--dims", "3"]) == 0
    found = place.map_of(own_run, "pca", 3)
    assert found is not None
    assert len(found.coords) == len(found.trust) == own_run.frame_count
    assert place.base(own_run) is None


def test_features_that_turn_out_damaged_give_way_to_a_map_before_and_after(own_run: Run) -> None:
    features = np.random.default_rng(0).normal(size=(2, len(own_run.frame(0).coords), 4)).astype(np.float16)
    none, source = np.zeros(0), np.array(place.source_of(own_run))
    place.write(own_run, "base", place.Base(features, none, np.zeros((len(METHODS), 2, 1)), none, none, source))
    for index in range(own_run.frame_count):
        own_run.write_features(index, features[0])
    (own_run.folder / "features" / "00001.npz").write_bytes(b"PK\x03\x04 not whole")
    assert len(make_map(own_run, "pca", 3, lambda *_: None)) == 2
    assert not (own_run.folder / "features").exists()


def test_an_unknown_point_is_refused(recording: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "digits-badnets", "--saliency", "99999"]) == 2
    assert "no point 99999" in capsys.readouterr().err
    job = place.job(recording, "saliency")
    assert job is not None
    assert job.failure["code"] == "no_such_point"
