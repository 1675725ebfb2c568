from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import BadInput
from core.explore import settled
from core.explore.settled import Settled

ROOT = Path(__file__).resolve().parents[3]
OTHER = Settled(3, 30, 0.25, "cosine", True, "answer", None)


@pytest.mark.parametrize("settings", [Settled(), OTHER, Settled(seed=7, min_dist=0)])
def test_a_key_says_all_and_is_read_back(settings: Settled) -> None:
    assert settled.read(settings.key) == settings
    assert settled.of({"id": settings.id}) == settings
    assert "/" not in settings.key  # it is part of a file's name


def test_what_a_key_leaves_out_has_its_default() -> None:
    assert settled.read("") == Settled()
    assert settled.read("metric=cosine, seed=none") == Settled(metric="cosine", seed=None)


def test_only_what_was_changed_is_named() -> None:
    assert Settled(dims=3).changed == ""
    assert OTHER.changed == "n_neighbors=30, min_dist=0.25, metric=cosine, densmap=yes, supervised=answer, seed=none"


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("dims=4", "dims=4; allowed: 2 or 3"),
        ("n_neighbors=1", "2 to 200"),
        ("n_neighbors=many", "n_neighbors=many; allowed: a number"),
        ("min_dist=1", "0 to 0.99"),
        ("min_dist=nan", "0 to 0.99"),
        ("metric=hamming", "euclidean, cosine"),
        ("densmap=perhaps", "yes or no"),
        ("supervised=trigger", "none, class, answer"),
        ("seed=-1", "0 to 4294967295, or none"),
        ("spread=2", "a setting named dims, n_neighbors"),
    ],
)
def test_what_umap_does_not_take_is_refused_with_what_is_allowed(key: str, named: str) -> None:
    with pytest.raises(BadInput) as fault:
        settled.read(key)
    assert fault.value.code == "settled_setting"
    assert named in fault.value.message
    assert settled.of({"id": settled.PREFIX + key}) is None


@pytest.mark.parametrize("asked", [{}, {"id": None}, {"id": "umap-2"}, {"id": Settled().key}])
def test_another_map_is_no_settled_one(asked: dict[str, object]) -> None:
    assert settled.of(asked) is None


def test_a_page_reads_settings_without_umap() -> None:
    script = "import sys, core.explore.settled; print(*({'umap', 'numba', 'numpy', 'torch'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
