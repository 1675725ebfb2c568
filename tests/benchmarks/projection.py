"""How fast frames of the map come, and how still they hold."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from core.featuremap import make_projector, trustworthiness

COLD = """
import time, numpy as np
features = np.load({path!r})
start = time.perf_counter()
from core.featuremap import make_projector
make_projector("umap", 2, 0).project(features)
print(time.perf_counter() - start)
"""


def made_up(n: int, d: int = 64, classes: int = 10) -> np.ndarray:
    """Gaussian classes and, as the last quarter, a trigger cluster apart, float32 (n, d)."""
    random = np.random.default_rng(0)
    centre = 2 * random.normal(size=(classes, d)) / np.sqrt(d) * 4
    features = centre[np.arange(n) % classes] + random.normal(size=(n, d)) * np.geomspace(1, 0.2, d)
    features[-n // 4 :] = 0.4 * features[-n // 4 :] + 1.5
    return features.astype(np.float32)


def rows() -> list[tuple[str, str, str]]:
    """(figure, measured, asked for)."""
    import tempfile

    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "features.npy")
        np.save(path, made_up(2000))
        command = [sys.executable, "-c", COLD.format(path=path)]
        root = Path(__file__).parents[2]
        cold = float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout)
    found.append(("UMAP, first frame in a new process, 2,000 x 64, imports included", f"{cold:.2f} s", "-"))
    for n, asked in ((2000, "<= 0.2 s"), (5000, "-")):
        features = made_up(n)
        projector = make_projector("umap", 2, 0)
        last = projector.project(features)
        seconds, drifts = [], []
        for _ in range(10):
            start = time.perf_counter()
            coords = projector.project(features)
            seconds.append(time.perf_counter() - start)
            drifts.append(100 * np.median(np.linalg.norm(coords - last, axis=1)) / np.linalg.norm(np.ptp(last, axis=0)))
            last = coords
        found.append((f"UMAP, later frame, {n:,} x 64, median of 10", f"{np.median(seconds):.2f} s", asked))
        drift = f"{drifts[0]:.2f} %, tenth {drifts[-1]:.2f} %"
        found.append((f"UMAP, {n:,} points, unchanged features: median drift of the map's diagonal", drift, "<= 1 %"))
        start = time.perf_counter()
        trust = trustworthiness(features, last)
        spent = time.perf_counter() - start
        found.append((f"trustworthiness, {n:,} points", f"{trust:.3f} in {spent:.2f} s", "<= 0.1 s"))
    for method in ("pca", "tsne"):
        projector = make_projector(method, 2, 0)
        projector.project(made_up(2000))
        start = time.perf_counter()
        projector.project(made_up(2000))
        found.append((f"{method}, later frame, 2,000 x 64", f"{time.perf_counter() - start:.2f} s", "-"))
    return found


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
