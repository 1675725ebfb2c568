"""Whether the pixels of the image sets we may not ship are on this computer; found without loading any."""

from __future__ import annotations

from pathlib import Path

from core import paths
from core.data import FETCHED, IMAGE_SETS
from core.errors import BadInput
from core.paths import data_folder

PLACES = {name: IMAGE_SETS[name].places for name in FETCHED}  # under core.paths.data_folder()


def here(name: str) -> bool:
    """Whether a run can load the set by its name: always for those we draw or that come with scikit-learn."""
    return name not in PLACES or any((data_folder() / place).exists() for place in PLACES[name])


def adopt(name: str, given: str) -> str:
    """What ``Spec.images`` should be for images that lie at ``given``.

    A folder that holds the set in a layout we know is linked into our data folder, and the answer is the set's name;
    a folder of class folders or an ``.npz`` file is used as it is, and the answer is its path.

    Raises:
        BadInput: ``folder_not_found``: there is nothing at that place.
    """
    path = paths.expanded(given)
    if not given.strip() or not paths.exists(given):
        raise BadInput(
            "folder_not_found",
            f"There is no folder or .npz file {given!r} on this computer; give the place of the images.",
            path=given,
        )
    for place in PLACES.get(name, ()):
        if (path / place).exists():
            top = Path(place).parts[0]
            data_folder().mkdir(parents=True, exist_ok=True)
            link = data_folder() / top
            if not link.exists():
                link.unlink(missing_ok=True)  # a link whose aim is gone
                link.symlink_to((path / top).resolve())
            return name
    return str(path.resolve())
