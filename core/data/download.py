"""Fetching archives: with progress, a checksum, and nothing half-done left behind."""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from core.errors import BadInput

_CHUNK = 1 << 18
_SILENCE = 30  # seconds without a byte


@dataclass(frozen=True)
class Archive:
    """A ``.zip`` or ``.tar.gz``: where it is, its MD5 and size in bytes, and the folder it unpacks into."""

    url: str
    md5: str
    size: int
    folder: str

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[1]


def fetch(
    archives: Sequence[Archive], title: str, root: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Downloads, checks and unpacks all archives of a set under ``root``.

    Args:
        archives: what to fetch; one that is there already, whole, is not fetched again.
        title: name of the set, for errors.
        root: made if it is not there.
        progress: called with (bytes fetched, bytes in all), over all archives.

    Raises:
        BadInput: ``download_failed`` (no network, no room on disk) or ``download_damaged`` (wrong checksum).
    """
    total = sum(archive.size for archive in archives)
    before = 0
    for archive in archives:
        path = root / archive.folder / archive.file

        def tell(done: int, before: int = before, size: int = archive.size) -> None:
            if progress is not None:
                progress(before + min(done, size), total)

        with _named(archive, title, path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not (path.is_file() and _md5(path) == archive.md5):
                _download(archive, title, path, tell)
        tell(archive.size)
        before += archive.size
    for archive in archives:  # once all are there, so that a lost connection leaves no half set
        folder = root / archive.folder
        with _named(archive, title, folder):
            _unpack(folder / archive.file, folder)


@contextmanager
def _named(archive: Archive, title: str, folder: Path) -> Iterator[None]:
    """Turns what can go wrong on the way into one sentence."""
    try:
        yield
    except (OSError, HTTPException, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BadInput(
            "download_failed",
            f"{title} could not be fetched from {archive.url} to {folder} ({error}); check the network and the room "
            "on disk, or copy the set there.",
            name=title,
            url=archive.url,
            folder=str(folder),
            reason=str(error),
        ) from error


def _download(archive: Archive, title: str, path: Path, tell: Callable[[int], None]) -> None:
    """Into a file beside ``path``, renamed once its checksum is right."""
    beside = path.with_name(path.name + ".part")
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    try:
        request = urllib.request.Request(archive.url, headers={"User-Agent": "dissolve"})
        with urllib.request.urlopen(request, timeout=_SILENCE) as answer, open(beside, "wb") as out:
            while chunk := answer.read(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                tell(done)
        if digest.hexdigest() != archive.md5:
            raise BadInput(
                "download_damaged",
                f"What {archive.url} sent is not {title} as it was published (its checksum is wrong); try again later.",
                name=title,
                url=archive.url,
            )
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _unpack(path: Path, folder: Path) -> None:
    """Members that would leave the folder are refused (tar) or kept inside it (zip)."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    else:
        with tarfile.open(path) as tar:
            if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and later
                tar.extractall(folder, filter="data")
            else:
                tar.extractall(folder)  # its checksum is right, so it is what its authors published
