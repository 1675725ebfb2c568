"""Images on the way to the nodes of a dask cluster: each set goes to each node once, not with every model."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import IMAGE_SETS
from core.data.layout import layout
from core.errors import BadInput
from core.fleet.engines import parcel
from core.runs import file_hashes

if TYPE_CHECKING:
    from distributed import Client

KEPT_SETS = 8  # sets that nodes keep at once, if no run needs more of them


class Sent:
    """The image sets that the nodes have; later nodes get them from the scheduler as they come."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._names: dict[str, str] = {}  # by path

    def name(self, path: str, needed: Collection[str]) -> str:
        """Has a set on all nodes; returns what ``node.Task`` calls it.

        Args:
            path: a folder or an .npz file.
            needed: sets that are in use, which no other one takes the place of.

        Raises:
            BadInput: ``images_not_found``; as ``core.data.layout.layout``.
        """
        if path not in self._names:
            from core.fleet.engines.node import Images

            place = Path(path)
            try:
                digest = file_hashes.of_images(place)
                files = [file for part in layout(place).parts for file in part.files] if place.is_dir() else [place]
                content = parcel.of_files(files, place.parent)
            except OSError as error:
                raise BadInput(
                    "images_not_found", f"The images {path} cannot be read ({error.strerror}).",
                    images=path, allowed=", ".join(IMAGE_SETS),
                ) from None  # fmt: skip
            while len(self._names) >= KEPT_SETS and (free := [old for old in self._names if old not in needed]):
                self._forget(free[0])
            folder = f"{digest[:16]}-{secrets.token_hex(4)}"  # of this fleet alone: another one may forget its own
            self._client.register_plugin(Images(folder, content))
            self._names[path] = f"{folder}/{place.name}"
        return self._names[path]

    def forget_all(self) -> None:
        """Has the nodes remove them; one that is gone keeps nothing."""
        for path in tuple(self._names):
            with contextlib.suppress(Exception):  # dask's own, of a cluster that does not answer any more
                self._forget(path)

    def _forget(self, path: str) -> None:
        folder = self._names.pop(path).partition("/")[0]
        if self._client.status == "running":
            self._client.unregister_worker_plugin(f"dissolve-images-{folder}")
