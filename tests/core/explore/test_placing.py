"""Pictures that were not there when a map was drawn: they land among their like, and the map stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core.cli import explore as cli
from core.cli.parser import main
from core.errors import BadInput
from core.explore import pictures, place
from core.explore.fitting import fit
from core.explore.make import make
from core.explore.material import material
from core.explore.placing import Placer, fitted, nearest, put
from core.explore.settled import Settled
from core.runs.record import Run
from core.suspicion import METHODS

KEY = Settled().key
JUNK = {"none.png": b"not a picture", "half.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF", "vector.webp": b"<svg/>"}

pytestmark = pytest.mark.timeout(900)  # umap-learn is compiled in the first of them


def groups() -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (120, 12) of three groups, and which one each point is of."""
    rng = np.random.default_rng(0)
    of = np.arange(120) % 3
    return (rng.normal(0, 6, (3, 12))[of] + rng.normal(0, 1, (120, 12))).astype(np.float32), of


def keep_features(run: Run, models: int) -> None:
    """What the run was explored with, of as many models, made by hand."""
    samples = run.samples
    assert samples is not None
    n = len(samples.label)
    features = np.random.default_rng(0).normal(size=(1, n, 64)).astype(np.float16)
    place.write(run, "base", place.Base(
        np.repeat(features, models, 0), np.zeros((models, n, place.NEIGHBOURS), np.int32),
        np.zeros((len(METHODS), models, n), np.float16), np.zeros((len(METHODS), models, 3), np.float32),
        np.zeros(0, np.uint8), np.array(place.source_of(run)),
    ))  # fmt: skip


def keep_map(run: Run, models: int) -> None:
    """A settled map of the run, of as many models, drawn by hand."""
    samples = run.samples
    assert samples is not None
    coords = np.random.default_rng(1).normal(size=(models, len(samples.label), 2)).astype(np.float32)
    place.write(run, place.settled_name(KEY), place.DrawnMap(coords, np.ones(models, np.float32)))


@pytest.mark.parametrize("settings", [Settled(), Settled(3, metric="cosine"), Settled(supervised="class")])
def test_new_points_land_among_their_like(settings: Settled) -> None:
    features, of = groups()
    coords = fit(features, settings, of if settings.supervised == "class" else None)
    before = coords.copy()
    new = features[:30] + np.random.default_rng(1).normal(0, 0.3, (30, 12)).astype(np.float32)
    placed = put(fitted(features, coords, settings), new)
    assert placed.shape == (30, settings.dims)
    np.testing.assert_array_equal(coords, before)
    nearest = ((placed[:, None] - coords[None]) ** 2).sum(2).argmin(1)
    assert (of[nearest] == of[:30]).all()
    gap = np.linalg.norm(placed - coords[:30], axis=1)
    assert np.median(gap) < 0.1 * np.linalg.norm(np.ptp(coords, axis=0))


def test_what_takes_no_more_points_says_so() -> None:
    features, _ = groups()
    for few, settings in ((120, Settled(densmap=True)), (4, Settled())):
        with pytest.raises(BadInput) as fault:
            fitted(features[:few], np.zeros((few, 2), np.float32), settings)
        assert fault.value.code == "no_transform"


@pytest.mark.parametrize("source", ["file", "point"])
def test_a_picture_of_the_set_lies_where_its_point_does(
    own_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    make(own_run, lambda *_: None)
    samples, frame = own_run.samples, own_run.frame(0)
    assert samples is not None
    marked = int(np.flatnonzero(samples.triggered & (frame.answers != samples.label))[0])  # misled by the trigger
    point = int(samples.twin[marked])
    file = tmp_path / "seven.png"
    pixels = (material(own_run).pixels([point])[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(file)
    with pytest.raises(BadInput) as fault:
        Placer(own_run).place(file, Settled(), lambda *_: None)
    assert fault.value.code == "map_first"

    given = str(file) if source == "file" else str(point)
    assert main(["explore", str(own_run.folder), "--settled", "dims=2", "--place", given, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    drawn, found = (
        place.settled_map(own_run, Settled().key),
        pictures.placed(own_run, pictures.subject_of(given), Settled().key),
    )
    assert drawn is not None
    assert found is not None
    size = np.linalg.norm(np.ptp(drawn.coords[0], axis=0))
    names = own_run.data["classes"]
    for at, when in enumerate(("before", "after")):
        for variant, (there, with_) in enumerate(((point, ""), (marked, "_triggered"))):
            assert np.linalg.norm(np.array(said[f"place_{when}{with_}"]) - drawn.coords[at, there]) < 0.1 * size
            assert said[f"answer_{when}{with_}"] == names[frame.answers[there]]
            near = found.near[at, variant].tolist()
            assert (there in near) == (source == "file"), "of the set, it is not nearest to itself"
    np.testing.assert_array_equal(found.pictures[0], pixels)
    trigger = material(own_run).pixels([marked])[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found.pictures[1].astype(float) - trigger).max() <= 1
    assert main(["explore", str(own_run.folder), "--place", str(tmp_path / "none.png")]) == 2
    assert "none.png" in capsys.readouterr().err
    assert main(["explore", str(own_run.folder), "--place", "99999"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_picture_that_cannot_be_read_is_told_of_and_the_next_is_placed(
    own_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that waits: it stays, and has loaded and fitted once."""
    asked = iter([*[pictures.keep(own_run, name, content) for name, content in JUNK.items()], "point-4", "point-5"])
    first = next(asked)
    clock = [0.0]

    def wanted(run: Run) -> tuple[str, str] | None:
        told = next(asked, None)
        clock[0] += 0 if told else 61  # nobody asks any more
        return (told, KEY) if told else None

    keep_features(own_run, 2)
    keep_map(own_run, 2)
    monkeypatch.setattr(pictures, "wanted", wanted)
    monkeypatch.setattr(cli, "time", SimpleNamespace(sleep=lambda seconds: None, monotonic=lambda: clock[0]))
    source = pictures.source_of(own_run, first)
    arguments = ["--place", str(source), "--settled", KEY, "--linger", "60"]
    assert main(["explore", str(own_run.folder), *arguments]) == 0
    for name, content in JUNK.items():
        told = pictures.refusal(own_run, pictures.keep(own_run, name, content), KEY)
        assert told is not None
        assert told["code"] == ("images_of_other_kind" if name == "vector.webp" else "unreadable_image"), name
    assert pictures.placed(own_run, "point-4", KEY) is not None
    assert pictures.placed(own_run, "point-5", KEY) is not None
    job = place.job(own_run, "place")
    assert job is not None
    assert not job.failure


def test_without_the_purified_weights_the_victims_map_alone_takes_the_picture(
    recording: Run,
) -> None:
    keep_features(recording, 1)
    keep_map(recording, 1)
    found = Placer(recording).place(3, Settled(), lambda *_: None)
    assert (found.coords.shape, found.answers.shape, found.near.shape) == ((1, 2, 2), (1, 2), (1, 2, place.NEIGHBOURS))


def test_nearest_are_found_in_feature_space() -> None:
    features, new = groups()[0], groups()[0][:5] + 0.01
    every = np.linalg.norm(features[None] - new[:, None], axis=2).argsort(1)
    found = nearest(features, new, [])
    assert found.shape == (5, place.NEIGHBOURS)
    np.testing.assert_array_equal(found, every[:, : place.NEIGHBOURS])
    assert 0 not in nearest(features, new, [0])
    assert nearest(features[:6], new, [0, 1]).shape == (5, 4)


def test_a_picture_is_read_with_the_depth_of_the_runs_images(recording: Run, tmp_path: Path) -> None:
    """A dark picture of 12 bits in 16, alone, would be taken for one of 8."""
    file = tmp_path / "dark.png"
    Image.fromarray(np.full((16, 16), 200, np.uint16)).save(file)
    keep_features(recording, 1)
    keep_map(recording, 1)
    placer = Placer(recording)
    placer.stuff = replace(placer.stuff, images=replace(placer.stuff.images, bits=12))
    found = placer.place(file, Settled(), lambda *_: None)
    assert np.unique(found.pictures[0]).tolist() == [200 >> 4]
