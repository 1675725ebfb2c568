"""Image sets: drawn road signs, handwritten digits, CIFAR-10, GTSRB, and whatever the user brings.

Importing this package pulls in nothing heavy; each set's module is loaded when the set is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core import paths
from core.errors import BadInput

if TYPE_CHECKING:
    from core.data.imageset import ImageSet

IMAGE_SETS: tuple[str, ...] = ("signs", "digits", "cifar10", "gtsrb")


def load(
    name_or_path: str | Path,
    *,
    root: Path | None = None,
    download: bool = False,
    progress: Callable[[int, int], None] | None = None,
    seed: int = 0,
) -> ImageSet:
    """The image set of that name or at that path, whole and in memory.

    Args:
        name_or_path: one of :data:`IMAGE_SETS`; or a folder of class folders (or of ``train`` and ``test`` with
            class folders inside); or an ``.npz`` file with ``x_train``, ``y_train``, ``x_test``, ``y_test``.
            A name comes first: write ``./signs`` for a folder called ``signs``.
        root: where CIFAR-10 and GTSRB are looked for and downloaded to; ``core.paths.data_folder()`` by default.
        download: whether CIFAR-10 and GTSRB may be fetched from their authors when they are not under ``root``.
        progress: called with (done, total): bytes of a download, or images of a set that is being made or read.
        seed: which drawing of ``signs``; which split of a user's set that comes without one. The three sets with
            an official or fixed split do not depend on it.

    Raises:
        BadInput: there is no such set or path, or what is there cannot be used as labelled images.
    """
    name = str(name_or_path)
    if name == "signs":
        from core.data.signs import load as load_signs

        return load_signs(seed, progress)
    if name == "digits":
        from core.data.digits import load as load_digits

        return load_digits()
    if name in ("cifar10", "gtsrb"):
        from core.data.torchvision_sets import load as load_known

        return load_known(name, root, download, progress)

    path = paths.expanded(name)
    if os.path.isdir(path) or path.suffix.lower() == ".npz":
        from core.data.files import load as load_own

        return load_own(path, seed, progress)
    raise BadInput(
        "no_such_image_set",
        f"{name} is neither an image set of Dissolve ({', '.join(IMAGE_SETS)}) nor a folder of class folders nor an "
        ".npz file.",
        name=name,
        known=", ".join(IMAGE_SETS),
    )
