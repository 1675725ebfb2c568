"""The node's side: what is the same, which GPU it has, and images that lie on it until they are forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("distributed", reason="the engine dask needs the package distributed")

from core.fleet.engines import node, parcel
from core.fleet.engines.node import Images, different


def test_the_first_version_that_differs_is_named_and_what_a_node_lacks_too() -> None:
    ours = {"dissolve": "1.0", "torch": "2.14", "numpy": "2.3"}
    assert different("a", dict(ours), ours) is None
    fault = different("tcp://a:1", ours | {"torch": "2.11"}, ours)
    assert fault
    assert fault.facts == {"node": "tcp://a:1", "package": "torch", "there": "2.11", "here": "2.14"}
    for theirs in ({}, ours | {"umap-learn": "0.5"}):
        fault = different("a", theirs, ours)
        assert fault
        assert "-" in (fault.facts["there"], fault.facts["here"])


def test_versions_name_what_figures_depend_on() -> None:
    assert {"dissolve", "python", "torch", "numpy", "distributed"} <= set(node.versions())


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``driver(visible, *lines)``: nvidia-smi says these lines, and a process may use what ``visible`` names."""

    def install(visible: str | None, *lines: str) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text("\n".join(["#!/bin/sh", *(f"echo {line}" for line in lines), ""]))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return install


@pytest.mark.parametrize(
    ("visible", "sizes"),
    [
        (None, [80, 40, 0]),
        ("1", [40]),
        ("1, 0", [40, 80]),
        ("GPU-a1", [80]),
        ("GPU-b", [40]),
        ("GPU-a", []),  # of two
        ("MIG-c,MIG-d", [0, 0]),
        ("1,7,0", [40]),
        ("", []),
    ],
)
def test_a_process_has_the_gpus_that_it_may_use(
    driver: Callable[..., None], visible: str | None, sizes: list[int]
) -> None:
    driver(visible, "0, GPU-a1, 80", "1, GPU-b1, 40", "2, GPU-a2, [N/A]")
    assert list(node.gpus().values()) == [size * 2**20 for size in sizes]
    assert node.gpu_memory() == next(iter(sizes), 0) * 2**20


def test_a_machine_without_the_driver_has_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (node.gpus(), node.gpu_memory()) == ({}, 0)


@pytest.mark.parametrize("visible", [None, "0", "MIG-a"])
def test_a_driver_that_finds_no_gpu_says_so_in_a_sentence(driver: Callable[..., None], visible: str | None) -> None:
    driver(visible, "No devices were found", "")
    assert node.gpus() == {}


def test_images_are_laid_down_whole_or_not_at_all_and_removed(tmp_path: Path) -> None:
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "photos" / "a" / "1.png").write_bytes(b"pixels")
    content = parcel.of_files([tmp_path / "photos" / "a" / "1.png"], tmp_path)
    worker = SimpleNamespace(local_directory=str(tmp_path / "node"))
    whole, torn = Images("abc", content), Images("def", b"x" * 600)
    for images in (whole, torn):
        images.setup(worker)  # type: ignore[arg-type]
    kept = tmp_path / "node" / "dissolve" / "images"
    assert [file.name for file in kept.iterdir()] == ["abc"]
    assert (kept / "abc" / "photos" / "a" / "1.png").read_bytes() == b"pixels"
    whole.teardown(worker)  # type: ignore[arg-type]
    assert list(kept.iterdir()) == []
    shutil.rmtree(kept)
