"""Unpacks an untrusted ``.zip`` of images: checked wholly by its directory, then written whole or not at all.

Only image files are written, and only under the target folder; what else lies in the archive is left out, save what
should not be there at all: links, names that lead outside, archives within the archive, encrypted members.
"""

from __future__ import annotations

import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from core.data.archive import PACKINGS, Archive
from core.data.decode import SUFFIXES
from core.errors import BadInput

GB, MB = 2**30, 2**20
LARGEST_ZIP = 2 * GB  # of the file
LARGEST_UNPACKED = 4 * GB
LARGEST_IMAGE = 32 * MB  # unpacked, of one member: a picture of the largest size allowed, 16 bits a colour, is 24 MB
MAX_MEMBERS = 200_000
LARGEST_LIST = MAX_MEMBERS * 200  # bytes of the list of members; an entry with a usual path takes 100 to 150
MAX_RATIO = 50  # of unpacked to packed bytes; images are compressed already
ARCHIVES = (
    ".zip", ".npz", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".jar", ".lzh", ".cab", ".iso",
)  # fmt: skip
_SLACK = 16 * MB  # beyond that ratio, for flat drawings, which compress well
LONGEST_NAME = 200
MAX_DEPTH = 12  # of nested folders; class folders inside ``train`` inside one folder need three
_UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error,
    struct.error, IndexError, UnicodeError,
)  # fmt: skip
_CHUNK = MB


@dataclass(frozen=True)
class Unpacked:
    """``images`` were written; ``left_out`` files were not, since they are no images."""

    images: int
    left_out: int


def unpack(path: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> Unpacked:
    """The images of a zip, in the folder ``target``.

    On disk it takes ``LARGEST_UNPACKED`` at most. In memory it takes what its list of members takes, since that is
    read whole: 200 MB for ``MAX_MEMBERS`` with usual names, half a GB for the worst list of ``LARGEST_LIST`` bytes
    (measured); a longer one is refused before it becomes objects. The images are written piece by piece.

    Args:
        path: the archive.
        target: a folder that is not there yet; it appears when everything has been written, and holds the class
            folders (or ``train`` and ``test``) itself, without a folder that only wraps them.
        progress: called with (images written, images in all).

    Raises:
        BadInput: ``zip_unreadable``, ``zip_too_large``, ``zip_too_many``, ``zip_bomb``, ``zip_outside``,
            ``zip_link``, ``zip_encrypted``, ``zip_nested``, ``zip_odd_name``, ``zip_too_deep``, ``zip_without_images``
            or ``no_room``.
    """
    if path.stat().st_size > LARGEST_ZIP:
        raise _too_large(path, f"{path.stat().st_size / GB:.1f} GB")
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with _opened(path) as file, zipfile.ZipFile(file) as archive:
            wanted, left_out = _judge(path, archive)
            _check_room(half, sum(member.file_size for member, _ in wanted))
            for done, (member, name) in enumerate(wanted, 1):
                _write(path, archive, member, half.joinpath(*name.parts))
                if progress is not None and (done % 100 == 0 or done == len(wanted)):
                    progress(done, len(wanted))
        root_of(half).rename(target)
    except BadInput:
        raise
    except MemoryError as error:
        raise _too_large(path, "more than memory holds") from error
    except _UNREADABLE as error:
        raise _unreadable(path, (str(error).splitlines() or [type(error).__name__])[0][:160]) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return Unpacked(len(wanted), left_out)


def root_of(folder: Path) -> Path:
    """The folder that holds the class folders: below one that only wraps another."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or not any(entry.is_dir() for entry in inside[0].iterdir()):
            return folder
        folder = inside[0]


def _opened(path: Path) -> Archive:
    return Archive(path, MAX_MEMBERS, LARGEST_LIST, lambda: _too_many(path))


def _judge(path: Path, archive: zipfile.ZipFile) -> tuple[list[tuple[zipfile.ZipInfo, PurePosixPath]], int]:
    """The members to write with the place of each, and how many files are left out."""
    members = archive.infolist()
    unpacked, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    size = path.stat().st_size
    if unpacked > LARGEST_UNPACKED or any(m.file_size > LARGEST_IMAGE for m in members if _is_image(m.filename)):
        raise _too_large(path, f"{unpacked / GB:.1f} GB unpacked")
    if packed > size or unpacked > MAX_RATIO * size + _SLACK:  # members that overlap, or that shrink beyond belief
        raise _bomb(path)
    wanted: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    left_out = 0
    for member in members:
        name = _place(path, member)
        if member.is_dir() or not name.parts:
            continue
        if name.suffix.lower() in ARCHIVES:
            raise BadInput(
                "zip_nested",
                f"{path.name} is refused: {_shown(name)} in it is itself an archive; put only the class folders with "
                "their images into the .zip.",
                file=path.name, name=_shown(name),
            )  # fmt: skip
        if not _is_image(name.name) or any(part.startswith((".", "__MACOSX")) for part in name.parts):
            left_out += not any(part.startswith((".", "__MACOSX")) for part in name.parts)
            continue
        if member.flag_bits & 0x1:
            raise BadInput(
                "zip_encrypted",
                f"{path.name} is refused: {_shown(name)} in it is encrypted; make the .zip without a password.",
                file=path.name, name=_shown(name),
            )  # fmt: skip
        if len(name.parts) > MAX_DEPTH + 1:
            raise BadInput(
                "zip_too_deep",
                f"{path.name} is refused: {_shown(name)} in it lies more than {MAX_DEPTH} folders deep.",
                file=path.name, name=_shown(name), limit=MAX_DEPTH,
            )  # fmt: skip
        if member.compress_type not in PACKINGS:
            raise _unreadable(path, f"{name} is packed in a way that is not known here; use plain zip (deflate)")
        wanted.append((member, name))
    _check_distinct(path, [name for _, name in wanted])
    if not wanted:
        raise BadInput(
            "zip_without_images",
            f"{path.name} holds no images; allowed are {', '.join(SUFFIXES)} files in class folders.",
            file=path.name, formats=", ".join(SUFFIXES),
        )  # fmt: skip
    return wanted, left_out


def _place(path: Path, member: zipfile.ZipInfo) -> PurePosixPath:
    """Where a member may be written, relative to the target.

    Its name is checked as it is in the archive, and never changed into another one.
    """
    given = member.orig_filename if "\x00" in member.orig_filename else _decoded(member)
    name = given.replace("\\", "/")  # some programs write Windows's separator
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or (parts and parts[0][1:2] == ":"):
        raise BadInput(
            "zip_outside",
            f"{path.name} is refused: {_shown(given)} in it leads outside the archive's own folder.",
            file=path.name, name=_shown(given),
        )  # fmt: skip
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadInput(
            "zip_link",
            f"{path.name} is refused: {_shown(given)} in it is a link or a device; allowed are plain files and "
            "folders.",
            file=path.name, name=_shown(given),
        )  # fmt: skip
    if not name.isprintable() or len(name) > 4 * LONGEST_NAME or any(_is_long(part) for part in parts):
        raise _odd_name(path, given)
    return PurePosixPath(*parts)


def _decoded(member: zipfile.ZipInfo) -> str:
    """The name in the character set of the program that wrote it, which the archive states only for UTF-8."""
    if member.flag_bits & 0x800 or member.filename.isascii():
        return member.filename
    for encoding in ("utf-8", "cp932"):
        try:
            return member.filename.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return member.filename


def _is_long(part: str) -> bool:
    return len(part.encode("utf-8", "replace")) > LONGEST_NAME


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _check_distinct(path: Path, names: list[PurePosixPath]) -> None:
    """No name twice, also where a file system does not tell capitals; no file where a folder must be."""
    # with a sign before all others as separator, a folder's own name comes right before the names in it
    keyed = sorted(("\0".join(name.parts).lower(), place) for place, name in enumerate(names))
    for (before, _), (key, place) in pairwise(keyed):
        if key == before or key.startswith(before + "\0"):
            raise _odd_name(path, names[place])


def _check_room(place: Path, wanted: int) -> None:
    free = shutil.disk_usage(place.parent).free
    if free < wanted + _SLACK:
        raise BadInput(
            "no_room",
            f"The disk that holds {place.parent} has too little room; make room for {wanted // MB} MB and try again.",
            path=str(place.parent),
        )


def _write(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> None:
    """Writes one member; never more than its directory entry announced."""
    place.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with archive.open(member) as source, place.open("xb") as out:
        while chunk := source.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise _bomb(path)
            out.write(chunk)
    if left:
        raise _unreadable(path, f"{member.filename} is shorter than announced")


def _shown(name: object) -> str:
    """A name as it may stand in a sentence."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(name))[:80]


def _odd_name(path: Path, name: object) -> BadInput:
    return BadInput(
        "zip_odd_name",
        f"{path.name} is refused: {_shown(name)} in it cannot be a file's name; allowed are up to {LONGEST_NAME} "
        "printable characters, and each name once.",
        file=path.name, name=_shown(name), limit=LONGEST_NAME,
    )  # fmt: skip


def _unreadable(path: Path, reason: str) -> BadInput:
    return BadInput(
        "zip_unreadable",
        f"{path.name} is damaged, or no .zip, and cannot be unpacked ({reason}).",
        file=path.name, reason=reason,
    )  # fmt: skip


def _too_large(path: Path, size: str) -> BadInput:
    return BadInput(
        "zip_too_large",
        f"{path.name} is too large ({size}); allowed are {LARGEST_ZIP // GB} GB packed, {LARGEST_UNPACKED // GB} GB "
        f"unpacked and {LARGEST_IMAGE // MB} MB for one image.",
        file=path.name, size=size, packed=LARGEST_ZIP // GB, unpacked=LARGEST_UNPACKED // GB, image=LARGEST_IMAGE // MB,
    )  # fmt: skip


def _too_many(path: Path) -> BadInput:
    return BadInput(
        "zip_too_many",
        f"{path.name} lists more than {MAX_MEMBERS:,} members, or their names are too long; use fewer images.",
        file=path.name, limit=MAX_MEMBERS,
    )  # fmt: skip


def _bomb(path: Path) -> BadInput:
    return BadInput(
        "zip_bomb",
        f"{path.name} is refused: it would unpack to far more than its own size (more than {MAX_RATIO} times, or its "
        "members overlap), as images never do.",
        file=path.name, limit=MAX_RATIO,
    )  # fmt: skip
