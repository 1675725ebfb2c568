from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.watch.guard import Guard
from core.watch.profile import read_profile, write_profile


def test_what_was_written_is_read(guard: Guard, tmp_path: Path) -> None:
    write_profile(tmp_path / "p" / "profile.json", guard.profile)
    read = read_profile(tmp_path / "p" / "profile.json")
    assert read == guard.profile
    assert read.arrays.keys() == guard.profile.arrays.keys()
    for name, value in guard.profile.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], value)
    assert set(read.state("nearest")) == {"features", "labels"}


def spoiled_arrays(path: Path) -> None:
    path.with_suffix(".npz").write_bytes(b"of another")


def newer(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize("spoil", [spoiled_arrays, newer, torn, Path.unlink])
def test_a_profile_that_is_not_whole_is_refused_by_name(guard: Guard, tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "profile.json"
    write_profile(path, guard.profile)
    spoil(path)
    with pytest.raises(BadInput) as error:
        read_profile(path)
    assert error.value.code == "profile_unreadable"
    assert str(path) in error.value.message
