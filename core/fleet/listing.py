"""Which models a fleet has: the checkpoints of a folder, or the rows of a CSV file. Opens no checkpoint.

A file of weights that is missing or cannot be read is reported in its model's row, not as a fault of the list.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core import paths
from core.data import IMAGE_SETS
from core.errors import BadInput, printable
from core.fleet.risk import EXPOSURE
from core.intake.uploads import ENDINGS, IMAGE_ENDINGS
from core.shards import ENDING, shards

WEIGHTS = tuple(ending for ending in ENDINGS if ending not in IMAGE_ENDINGS)  # what the project's readers take
NEEDED = ("weights", "images")
WANTED = ("owner", "use", "exposure")
ENCODINGS = ("utf-8-sig", "cp932")  # the second: what a Japanese spreadsheet writes
MAX_LIST_BYTES = 64 * 2**20  # bytes of a list: a million rows
SIGN = "order.json"  # marks a fleet's own folder, which is not searched for models


@dataclass(frozen=True)
class Entry:
    """One model of a fleet.

    ``file``: as it is shown, the path below MODELS or as the CSV has it. ``weights``: its absolute path. ``images``: a
    shipped set's name, or an absolute path. ``exposure``: 1-5, what a wrong answer costs; None where nobody said.
    """

    file: str
    weights: str
    images: str
    owner: str = ""
    use: str = ""
    exposure: int | None = None


def read(models: Path | str, images: str = "", beside: Sequence[Path] = ()) -> list[Entry]:
    """The models of a folder, sorted by path, or those of a CSV file, in its order.

    Args:
        models: a folder, searched with all that is below it; or a file that ends in .csv.
        images: for a folder, and for rows of a CSV that name none.
        beside: folders that are passed over, such as the one the fleet is written to.

    Raises:
        BadInput: ``fleet_not_found``, ``fleet_one_file``, ``fleet_empty``, ``fleet_no_images``; of a CSV:
            ``fleet_csv_unreadable``, ``fleet_csv_columns``, ``fleet_csv_row``, ``fleet_csv_exposure`` or
            ``fleet_csv_twice``.
    """
    if not paths.exists(models):
        raise BadInput(
            "fleet_not_found",
            f"There is no folder or CSV file {models}; give a folder of models, or a CSV with the columns weights and "
            "images.",
            path=str(models),
        )
    place = paths.absolute(models)
    if place.is_dir():
        entries = _of_folder(place, images, beside)
    elif place.suffix.lower() == ".csv":
        entries = _of_csv(place, images)
    else:
        raise BadInput(
            "fleet_one_file",
            f"{models} is a single file; give a folder of models or a CSV, or look at this one with: python -m core "
            "scan",
            path=str(models),
        )
    if not entries:
        raise BadInput(
            "fleet_empty",
            f"There is no model in {models}; files that end in {', '.join(WEIGHTS)} are taken.",
            path=str(models),
            allowed=", ".join(WEIGHTS),
        )
    return entries


def images_at(given: str, base: Path | None = None) -> str:
    """A shipped set's name as it is, anything else as an absolute path; relative ones are meant from ``base``."""
    if given in IMAGE_SETS or not given:
        return given
    return str(paths.absolute((base or Path()) / paths.expanded(given)))


def _of_folder(place: Path, images: str, beside: Sequence[Path]) -> list[Entry]:
    if not images:
        raise BadInput("fleet_no_images", "A folder of models needs --images: labelled clean images for all of them.")
    kept = images_at(images)
    closed = {str(paths.absolute(folder)) for folder in beside}
    files = sorted(_files(str(place), closed))
    return [Entry(printable(os.path.relpath(file, place)), file, kept) for file in files]


def _files(folder: str, closed: set[str]) -> Iterator[str]:
    """Checkpoints below a folder; one that is spread over several files by its index alone.

    What is hidden, other fleets, and folders that are links are passed over.
    """
    for place, folders, names in os.walk(folder):
        if SIGN in names and "runs" in folders:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and os.path.join(place, name) not in closed]
        spread = {name: shards(Path(place, name)) for name in names if name.endswith(ENDING)}
        parts = {part.name for of_one in spread.values() for part in of_one}
        for name in names:
            whole = name.lower().endswith(WEIGHTS) and name not in parts
            if (whole or spread.get(name)) and not name.startswith("."):
                yield os.path.join(place, name)


def _of_csv(file: Path, images: str) -> list[Entry]:
    entries: list[Entry] = []
    lines: dict[tuple[str, str], int] = {}
    for line, row in _rows(file, needs_images=not images):
        entry = _entry(file, line, row, images)
        first = lines.setdefault((entry.weights, entry.images), line)
        if first != line:
            raise BadInput(
                "fleet_csv_twice",
                f"{file.name} names {row['weights']} with the same images twice, in lines {first} and {line}; leave "
                "one.",
                file=file.name, weights=row["weights"], first=first, second=line,
            )  # fmt: skip
        entries.append(entry)
    return entries


def _rows(file: Path, needs_images: bool) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with the number of their line, cells stripped; those without any cell are passed over."""
    reader = csv.reader(io.StringIO(_text(file), newline=""))
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in NEEDED if name not in head and (name != "images" or needs_images)]
        odd = [name for name in head if name not in (*NEEDED, *WANTED)]
        if missing or odd or len(set(head)) < len(head):
            raise BadInput(
                "fleet_csv_columns",
                f"{file.name} has the columns {', '.join(head) or '(none)'}; it needs weights and images, and may have "
                "owner, use and exposure, each once.",
                file=file.name, columns=", ".join(head) or "-",
            )  # fmt: skip
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(head):
                raise _bad_row(file, reader.line_num)
            found = {name: cell.strip() for name, cell in zip(head, cells, strict=False)}
            yield reader.line_num, dict.fromkeys(head, "") | found
    except csv.Error as error:
        raise _unreadable(file, str(error)) from None


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_LIST_BYTES:
            raise _unreadable(file, "it is too large")
        content = file.read_bytes()
    except OSError as error:
        raise _unreadable(file, str(error.strerror)) from None
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _unreadable(file, "it is neither UTF-8 nor Shift_JIS")


def _entry(file: Path, line: int, row: dict[str, str], images: str) -> Entry:
    weights, own, exposure = row["weights"], row.get("images", ""), row.get("exposure", "")
    if not weights or not (own or images) or "\0" in weights + own:
        raise _bad_row(file, line)
    if exposure and exposure not in map(str, EXPOSURE):
        raise BadInput(
            "fleet_csv_exposure",
            f"The exposure {exposure} in line {line} of {file.name} must be a whole number from {EXPOSURE[0]} (a wrong "
            f"answer costs little) to {EXPOSURE[-1]}, or be left out.",
            value=exposure, line=line, file=file.name, least=EXPOSURE[0], most=EXPOSURE[-1],
        )  # fmt: skip
    return Entry(
        file=printable(weights),
        weights=str(paths.absolute(file.parent / paths.expanded(weights))),
        images=images_at(own, file.parent) if own else images_at(images),
        owner=printable(row.get("owner", "")),
        use=printable(row.get("use", "")),
        exposure=int(exposure) if exposure else None,
    )


def _bad_row(file: Path, line: int) -> BadInput:
    return BadInput(
        "fleet_csv_row",
        f"Line {line} of {file.name} must name weights and images, and have no more cells than there are columns.",
        line=line, file=file.name,
    )  # fmt: skip


def _unreadable(file: Path, reason: str) -> BadInput:
    return BadInput(
        "fleet_csv_unreadable",
        f"The list {file} cannot be read as a CSV ({reason}); save it as CSV in UTF-8, with commas.",
        path=str(file), reason=reason,
    )  # fmt: skip
