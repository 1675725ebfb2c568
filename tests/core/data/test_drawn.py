from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.data.drawn import keep_drawn, read_drawn

SHAPES = {"train": (24, 3, 8, 8), "test": (12, 3, 8, 8)}
IMAGES = {
    part: torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, np.uint8)) for part, shape in SHAPES.items()
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in a folder that was not there."""
    keep_drawn(tmp_path / "cache" / "signs.npz", IMAGES)
    return tmp_path / "cache" / "signs.npz"


def test_what_is_kept_is_read_back_and_stands_alone(cache: Path) -> None:
    found = read_drawn(cache, SHAPES)
    assert found is not None
    assert all(torch.equal(found[part], IMAGES[part]) for part in SHAPES)
    assert [file.name for file in cache.parent.iterdir()] == ["signs.npz"]


@pytest.mark.parametrize(
    "damage", ["gone", "truncated", "empty", "foreign", "other arrays", "other shape", "other type"]
)
def test_a_bad_cache_is_none_and_is_replaced(cache: Path, damage: str) -> None:
    if damage == "gone":
        cache.unlink()
    elif damage == "truncated":
        cache.write_bytes(cache.read_bytes()[:5000])
    elif damage == "empty":
        cache.write_bytes(b"")
    elif damage == "foreign":
        cache.write_bytes(b"not an archive")
    elif damage == "other arrays":
        np.savez(cache, a=np.zeros(3))
    elif damage == "other shape":
        np.savez(cache, train=np.zeros((5, 3, 8, 8), np.uint8), test=IMAGES["test"].numpy())
    else:
        np.savez(cache, train=IMAGES["train"].float().numpy(), test=IMAGES["test"].numpy())
    assert read_drawn(cache, SHAPES) is None
    keep_drawn(cache, IMAGES)
    assert read_drawn(cache, SHAPES) is not None


def test_no_room_for_a_cache_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the cache folder should be")
    keep_drawn(tmp_path / "cache" / "signs.npz", IMAGES)
    assert (tmp_path / "cache").is_file()
