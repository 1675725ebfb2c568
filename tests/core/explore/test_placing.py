"""Pictures that were not there when a map was drawn: they land among their like, and the map stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from core.cli.parser import main
from core.data import load
from core.errors import BadInput
from core.explore import place, placing
from core.explore.fitting import fit
from core.explore.make import make
from core.explore.material import material
from core.explore.placing import place_picture, transform
from core.explore.settled import Settled
from core.runs import record
from core.runs.record import Run
from core.suspicion import judging

pytestmark = pytest.mark.timeout(900)  # umap-learn is compiled in the first of them


def groups() -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (120, 12) of three groups, and which one each point is of."""
    rng = np.random.default_rng(0)
    of = np.arange(120) % 3
    return (rng.normal(0, 6, (3, 12))[of] + rng.normal(0, 1, (120, 12))).astype(np.float32), of


@pytest.mark.parametrize("settings", [Settled(), Settled(3, metric="cosine"), Settled(supervised="class")])
def test_new_points_land_among_their_like(settings: Settled) -> None:
    features, of = groups()
    coords = fit(features, settings, of if settings.supervised == "class" else None)
    before = coords.copy()
    new = features[:30] + np.random.default_rng(1).normal(0, 0.3, (30, 12)).astype(np.float32)
    placed = transform(features, coords, settings, new)
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
            transform(features[:few], np.zeros((few, 2), np.float32), settings, features[:1])
        assert fault.value.code == "no_transform"


def test_a_picture_of_the_set_lies_where_its_point_does(
    own_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judging, "MAX_PARTS", 2)
    make(own_run, lambda *_: None)
    stuff = material(own_run)
    pixels = (stuff.pixels([7])[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    file = tmp_path / "seven.png"
    Image.fromarray(pixels).save(file)
    with pytest.raises(BadInput) as fault:
        place_picture(own_run, Settled(), file, lambda *_: None)
    assert fault.value.code == "map_first"

    assert main(["explore", str(own_run.folder), "--settled", "dims=2", "--place", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    drawn = place.settled_map(own_run, Settled().key)
    assert drawn is not None
    size = np.linalg.norm(np.ptp(drawn.coords[0], axis=0))
    for at, when in enumerate(("before", "after")):
        assert np.linalg.norm(np.array(said[f"place_{when}"]) - drawn.coords[at, 7]) < 0.1 * size
        assert said[f"answer_{when}"] == own_run.data["classes"][own_run.frame(0).answers[7]]
    assert main(["explore", str(own_run.folder), "--place", str(tmp_path / "none.png")]) == 2
    assert "none.png" in capsys.readouterr().err


def test_a_picture_is_read_with_the_depth_of_the_runs_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dark picture of 12 bits in 16, alone, would be taken for one of 8."""
    file = tmp_path / "dark.png"
    Image.fromarray(np.full((16, 16), 200, np.uint16)).save(file)
    stuff = SimpleNamespace(
        images=replace(load("digits"), bits=12), models=[None], pixels=lambda points: torch.zeros(1, 3, 16, 16)
    )
    monkeypatch.setattr(placing, "explored", lambda run: SimpleNamespace(features=[np.zeros((5, 2))]))
    monkeypatch.setattr(placing, "material", lambda run: stuff)
    monkeypatch.setattr(place, "settled_map", lambda run, key: SimpleNamespace(coords=[np.zeros((5, 2))]))
    read: list[torch.Tensor] = []

    def features_and_logits(model: None, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        read.append(images[0])
        return torch.zeros(2, 2), torch.zeros(2, 10)

    monkeypatch.setattr(placing, "features_and_logits", features_and_logits)
    monkeypatch.setattr(placing, "transform", lambda *given: np.zeros((1, 2)))
    place_picture(record.open("digits-badnets"), Settled(), file, lambda *_: None)
    assert (read[0] * 255).round().unique().tolist() == [200 >> 4]
