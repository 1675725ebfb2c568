"""Image sets: drawn road signs, handwritten digits, CIFAR-10, GTSRB, and whatever the user brings.

Importing this package pulls in nothing heavy; each set's module is loaded when the set is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core import paths
from core.errors import BadInput
from core.registry import loaded

if TYPE_CHECKING:
    from core.data.imageset import ImageSet


class Known(NamedTuple):
    """An image set that has a name.

    ``place``: module and function that gives the ``ImageSet``; ``takes``: what it is called with, of the arguments of
    ``load``, and "name". ``about``: what it is, in a few words. Of a set that is not shipped and not drawn here,
    ``places``: the paths under the folder of image sets where it may lie, in the order in which they are tried;
    ``size`` and ``host`` of the download.
    """

    place: str
    about: str
    takes: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    size: str = ""
    host: str = ""


_FETCHED = ("name", "root", "download", "progress")
IMAGE_SETS: dict[str, Known] = {
    "signs": Known("core.data.signs:load", "road signs drawn by Dissolve, no download", ("seed", "progress")),
    "digits": Known("core.data.digits:load", "handwritten digits of scikit-learn, no download"),
    "cifar10": Known(
        "core.data.torchvision_sets:load", "CIFAR-10, photographs of ten kinds of things", _FETCHED,
        ("cifar10.npz", "cifar10/train", "cifar-10-batches-py"), "170 MB", "www.cs.toronto.edu",
    ),
    "gtsrb": Known(
        "core.data.torchvision_sets:load", "GTSRB, photographs of German road signs", _FETCHED,
        ("gtsrb.npz", "gtsrb/GTSRB/Training"), "277 MB", "sid.erda.dk",
    ),
}  # fmt: skip
"""All sets that have a name, as lists of them are shown."""

FETCHED = tuple(name for name, known in IMAGE_SETS.items() if known.places)
"""Those that are looked for on this computer, and fetched if that is allowed."""


def at_hand(name: str) -> bool:
    """Whether a set has a name and needs no download: it is drawn here, or comes with scikit-learn."""
    return name in IMAGE_SETS and name not in FETCHED


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
        root: where those of :data:`FETCHED` are looked for and downloaded to; ``core.paths.data_folder()`` by default.
        download: whether they may be fetched from their authors when they are not under ``root``.
        progress: called with (done, total): bytes of a download, or images of a set that is being made or read.
        seed: which drawing of ``signs``; which split of a user's set that comes without one. The three sets with
            an official or fixed split do not depend on it.

    Raises:
        BadInput: there is no such set or path, or what is there cannot be used as labelled images.
    """
    name = str(name_or_path)
    if name in IMAGE_SETS:
        known = IMAGE_SETS[name]
        given = {"name": name, "seed": seed, "root": root, "download": download, "progress": progress}
        return loaded(known.place)(**{what: given[what] for what in known.takes})  # type: ignore[no-any-return]
    path = paths.expanded(name)
    # any other file is refused there, by what it is; a pipe or a device is none
    if os.path.isdir(path) or os.path.isfile(path) or path.suffix.lower() == ".npz":
        from core.data.files import load as load_own

        return load_own(path, seed, progress)
    raise BadInput(
        "no_such_image_set",
        f"{name} is neither an image set of Dissolve ({', '.join(IMAGE_SETS)}) nor a folder of class folders nor an "
        ".npz file.",
        name=name,
        known=", ".join(IMAGE_SETS),
    )
