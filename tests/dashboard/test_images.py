from __future__ import annotations

from pathlib import Path

import pytest

from core.data import IMAGE_SETS
from core.errors import BadInput
from dashboard import images


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_what_is_told_of_a_download_is_what_is_fetched() -> None:
    from core.data.torchvision_sets import SOURCES

    assert SOURCES.keys() <= images.PLACES.keys()
    for name, source in SOURCES.items():
        known = IMAGE_SETS[name]
        total = sum(archive.size for archive in source.archives)
        assert abs(total / 1e6 - int(known.size.split()[0])) < 1
        assert all(known.host in archive.url for archive in source.archives)


def test_our_own_sets_are_always_here_and_the_others_only_when_found(data: Path) -> None:
    assert images.here("signs")
    assert images.here("digits")
    assert not images.here("cifar10")
    (data / "cifar-10-batches-py").mkdir(parents=True)
    assert images.here("cifar10")


def test_a_known_layout_elsewhere_is_linked(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "gtsrb" / "GTSRB" / "Training").mkdir(parents=True)
    assert images.adopt("gtsrb", str(tmp_path / "elsewhere")) == "gtsrb"
    assert images.here("gtsrb")


def test_any_other_folder_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine" / "cat").mkdir(parents=True)
    assert images.adopt("cifar10", str(tmp_path / "mine")) == str(tmp_path / "mine")
    assert not images.here("cifar10")


@pytest.mark.parametrize("given", ["", "  ", "/nowhere/at/all", "~nobody-of-that-name/photos"])
def test_a_place_that_is_not_there_is_refused(given: str) -> None:
    with pytest.raises(BadInput) as caught:
        images.adopt("cifar10", given)
    assert caught.value.code == "folder_not_found"
    assert given in caught.value.message
