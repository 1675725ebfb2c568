"""What a person says of the flags: put an image back, or flag one more. Kept beside what the filters wrote, and read
back from a list. Light to import.

Nothing here changes a flag of a filter. A word stands only where it says otherwise than the filter.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.dataroom.place import REVIEWED, Listed
from core.errors import BadInput
from core.files import MB, write_json

KEEP, FLAG = "keep", "flag"  # the words, in the list and in the file
REVIEW = "review.json"  # in a visit's folder
NEEDED = ("index", "label", "flagged")  # columns of a list that is read back
YES, NO = ("1", "true"), ("0", "false")  # of a flag, as spreadsheets write it, in small letters
LARGEST_LIST = 256 * MB


@dataclass(frozen=True)
class Review:
    """The words of a review, step after step, so that each step can be undone.

    ``steps``: of each the words by the position of their image; "" takes a word back. The last word on an image counts.
    """

    steps: tuple[Mapping[int, str], ...] = ()

    @property
    def words(self) -> dict[int, str]:
        """The word on each image that has one, in the order of the set."""
        found: dict[int, str] = {}
        for step in self.steps:
            found |= step
        return {at: found[at] for at in sorted(found) if found[at]}

    def said(self, flagged: np.ndarray, out: Mapping[int, bool]) -> Review:
        """With one step more, after which each of these images is left out (True) or kept; unchanged where all are.

        Args:
            flagged: bool (n,), the filter's flags.
        """
        now = left_out(flagged, self.words)
        step = {at: _word(bool(flagged[at]), wanted) for at, wanted in out.items() if wanted != now[at]}
        return Review((*self.steps, step)) if step else self

    def undone(self) -> Review:
        """Without the last step."""
        return Review(self.steps[:-1])


def _word(flagged: bool, out: bool) -> str:
    return "" if flagged == out else FLAG if out else KEEP


def left_out(flagged: np.ndarray, words: Mapping[int, str]) -> np.ndarray:
    """bool (n,): the images that are left out once the words are heard."""
    out = flagged.copy()
    for at, word in words.items():
        out[at] = word == FLAG
    return out


def words_of(flagged: np.ndarray, out: np.ndarray) -> dict[int, str]:
    """The words that make ``out``, bool (n,), of a filter's flags."""
    return {int(at): _word(bool(flagged[at]), bool(out[at])) for at in np.flatnonzero(flagged != out)}


def counts(words: Mapping[int, str]) -> tuple[int, int]:
    """Images that were put back, and images that were flagged by hand."""
    said = list(words.values())
    return said.count(KEEP), said.count(FLAG)


def rates(out: np.ndarray, poisoned: Any) -> tuple[float | None, float | None]:
    """Recall and false alarms, percent: of the poisoned, and of the clean images, those left out; None where the truth
    is unknown.

    Args:
        poisoned: bool (n,), or None.
    """
    if poisoned is None:
        return None, None
    truth = np.asarray(poisoned)
    parts = (out[truth], out[~truth])
    recall, alarms = (round(100 * float(part.mean()), 2) if len(part) else None for part in parts)
    return recall, alarms


def load(folder: Path, listed: Listed) -> Review:
    """The review in a visit's folder, where it is of this very list; else what the list came with."""
    try:
        found = json.loads((folder / REVIEW).read_bytes())
        if found["of"] == _of(listed):
            return Review(tuple({int(at): str(word) for at, word in step.items()} for step in found["steps"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return Review((listed.words,)) if listed.words else Review()


def save(folder: Path, listed: Listed, review: Review) -> None:
    """Replaces the review in a visit's folder; the list stays as it is."""
    write_json(folder / REVIEW, {"of": _of(listed), "steps": list(review.steps)})


def _of(listed: Listed) -> str:
    """What tells a list from those of other images: files and labels, in their order."""
    text = json.dumps([listed.files, listed.labels.tolist()])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def with_words(content: bytes, words: Mapping[int, str]) -> bytes:
    """A list with the words in a last column of their own; without words it has no such column.

    Args:
        content: of ``cleaned.csv``.
    """
    rows = list(csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))
    if rows[0][-1] == REVIEWED:
        rows = [row[:-1] for row in rows]
    elif not words:
        return content
    if words:
        rows = [[*rows[0], REVIEWED], *([*row, words.get(at, "")] for at, row in enumerate(rows[1:]))]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def plain(file: str) -> str:
    """A file's name that no spreadsheet takes for a formula."""
    return f"'{file}" if file[:1] in ("=", "+", "-", "@", "\t", "\r") else file


def _name(file: str) -> str:
    return os.path.basename(file).strip()


@dataclass(frozen=True)
class Given:
    """A list that a person has edited. ``rows``: by index the file ("" where none is named), the label and whether the
    image is left out. ``content``: the bytes of the file."""

    path: Path
    content: bytes
    rows: Mapping[int, tuple[str, int, bool]]

    def fitted(self, files: Sequence[str], labels: np.ndarray) -> np.ndarray:
        """bool (n,): the images that the list leaves out of a set.

        Rows may stand in any order, and the set may lie elsewhere by now: of a file only its name is compared.

        Raises:
            BadInput: ``list_rows`` where some image has no row, or some row no image; ``list_differs``.
        """
        if self.rows.keys() != set(range(len(labels))):
            raise BadInput(
                "list_rows",
                f"The list {self.path} has not one row for each of the {len(labels)} images of this set; give the list "
                "of this very set, with all its rows.",
                path=str(self.path), images=len(labels),
            )  # fmt: skip
        for at, (file, label, _) in self.rows.items():
            if label != labels[at] or (file and _name(file) != _name(plain(files[at]))):
                raise BadInput(
                    "list_differs",
                    f"In the list {self.path}, image {at} has another file or label than in this set; give the list of "
                    "this very set, of the same poison and seed where it was poisoned here.",
                    path=str(self.path), index=at,
                )  # fmt: skip
        return np.array([self.rows[at][2] for at in range(len(labels))], bool)


def read(path: Path | str) -> Given:
    """A list as ``data-room`` wrote it and a person, or a spreadsheet, saved it again.

    The column ``reviewed`` decides where it says something, else ``flagged``; other columns are left unread.

    Raises:
        BadInput: ``list_unreadable``, ``list_columns`` or ``list_row``.
    """
    place = Path(path)
    content = _content(place)
    text = content.decode("utf-8-sig", "surrogateescape")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in NEEDED if name not in head]:
            raise BadInput(
                "list_columns",
                f"The list {place} has no column {', '.join(missing)}; give a list that data-room wrote, saved as CSV "
                "in UTF-8.",
                path=str(place), missing=", ".join(missing),
            )  # fmt: skip
        rows: dict[int, tuple[str, int, bool]] = {}
        for cells in reader:
            if not any(cells):
                continue
            row = dict(zip(head, (cell.strip() for cell in cells), strict=False))
            at, label, out = _number(row.get("index")), _number(row.get("label")), _out(row)
            if at is None or label is None or out is None or at in rows:
                raise BadInput(
                    "list_row",
                    f"Line {reader.line_num} of the list {place} cannot be used: index and label must be whole "
                    f"numbers, each index once, flagged 0 or 1, and {REVIEWED} {KEEP}, {FLAG} or empty.",
                    line=reader.line_num, path=str(place), column=REVIEWED, words=f"{KEEP}, {FLAG}",
                )  # fmt: skip
            rows[at] = row.get("file", ""), label, out
    except csv.Error as error:
        raise _unreadable(place, str(error)) from None
    return Given(place, content, rows)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() else None


def _out(row: Mapping[str, str]) -> bool | None:
    """Whether a row's image is left out; None where the row does not say so in words we know."""
    word, flag = row.get(REVIEWED, "").lower(), row.get("flagged", "").lower()
    if flag not in YES + NO or word not in (KEEP, FLAG, ""):
        return None
    return word == FLAG if word else flag in YES


def _content(place: Path) -> bytes:
    try:
        if place.stat().st_size > LARGEST_LIST:
            raise _unreadable(place, f"more than {LARGEST_LIST // MB} MB")
        return place.read_bytes()
    except OSError as error:
        raise _unreadable(place, str(error.strerror)) from None


def _unreadable(place: Path, reason: str) -> BadInput:
    return BadInput(
        "list_unreadable", f"The list {place} cannot be read ({reason}); give a list that data-room wrote, as CSV.",
        path=str(place), reason=reason,
    )  # fmt: skip
