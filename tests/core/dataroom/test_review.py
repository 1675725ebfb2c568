"""What a person says of the flags: words and steps, the file they are kept in, and lists that are read back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from core.dataroom import place, review
from core.dataroom.place import Listed
from core.dataroom.review import Review
from core.errors import BadInput

FLAGGED = np.array([True, False, True, False])
LIST = "index,file,label,score_ss,flagged\n0,d/a.png,2,0.5,1\n1,d/b.png,0,-1,0\n2,d/c.png,2,0.4,1\n3,'=d.png,1,-1.5,0\n"
FILES, LABELS = ["d/a.png", "d/b.png", "d/c.png", "=d.png"], np.array([2, 0, 2, 1])


def listed(**changes: object) -> Listed:
    of = {"files": FILES, "labels": LABELS, "scores": {}, "flagged": FLAGGED, "words": {}} | changes
    return Listed(**of)  # type: ignore[arg-type]


def edited(folder: Path, text: str) -> Path:
    path = folder / "edited.csv"
    path.write_text(text)
    return path


def test_a_word_stands_only_where_it_says_otherwise_than_the_filter() -> None:
    said = Review().said(FLAGGED, {0: False, 1: True, 2: True})
    assert said.words == {0: "keep", 1: "flag"}
    assert review.left_out(FLAGGED, said.words).tolist() == [False, True, True, False]
    assert review.counts(said.words) == (1, 1)
    assert said.said(FLAGGED, {0: True}).words == {1: "flag"}
    assert FLAGGED.tolist() == [True, False, True, False]


def test_each_step_is_undone_by_itself_and_one_that_changes_nothing_is_none() -> None:
    said = Review().said(FLAGGED, {0: False, 2: False}).said(FLAGGED, {0: False}).said(FLAGGED, {0: True})
    assert len(said.steps) == 2
    assert said.words == {2: "keep"}
    assert said.undone().words == {0: "keep", 2: "keep"}
    assert said.undone().undone() == said.undone().undone().undone() == Review()


def test_words_are_what_makes_one_list_of_the_other() -> None:
    out = np.array([True, True, False, False])
    words = review.words_of(FLAGGED, out)
    assert words == {1: "flag", 2: "keep"}
    assert (review.left_out(FLAGGED, words) == out).all()


def test_recall_and_false_alarms_are_of_the_poisoned_and_of_the_clean() -> None:
    flagged = np.array([True, True, False, False, True, False, False, False])
    truth = [True, True, True, False, False, False, False, False]
    assert review.rates(flagged, torch.tensor(truth)) == review.rates(flagged, np.array(truth)) == (66.67, 20.0)
    assert review.rates(flagged, np.zeros(8, bool)) == (None, 37.5)
    assert review.rates(flagged, None) == (None, None)


def test_a_review_is_kept_beside_the_list_it_is_of(tmp_path: Path) -> None:
    said = Review().said(FLAGGED, {0: False}).said(FLAGGED, {3: True})
    review.save(tmp_path, listed(), said)
    assert [file.name for file in tmp_path.iterdir()] == [review.REVIEW]
    assert review.load(tmp_path, listed()) == said
    assert review.load(tmp_path, listed(flagged=~FLAGGED)) == said  # another threshold, the same images
    assert review.load(tmp_path, listed(labels=LABELS + 1)) == Review()
    assert review.load(tmp_path, listed(files=["", *FILES[1:]])) == Review()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"of": 1, "steps": 3}', '{"of": null, "steps": [[1]]}'])
def test_a_damaged_review_is_none_and_what_the_list_came_with_stands(tmp_path: Path, content: str) -> None:
    (tmp_path / review.REVIEW).write_text(content)
    assert review.load(tmp_path, listed()) == Review()
    assert review.load(tmp_path, listed(words={1: "flag"})).words == {1: "flag"}


def test_the_words_stand_in_a_last_column_and_all_else_stays_byte_for_byte() -> None:
    content = LIST.encode()
    assert review.with_words(content, {}) == content
    reviewed = review.with_words(content, {2: "keep", 3: "flag"})
    rows = list(csv.DictReader(io.StringIO(reviewed.decode())))
    assert list(rows[0])[-1] == "reviewed"
    assert [row["reviewed"] for row in rows] == ["", "", "keep", "flag"]
    assert review.with_words(reviewed, {1: "flag"}) == review.with_words(content, {1: "flag"})
    assert review.with_words(reviewed, {}) == content


def test_a_list_is_read_back_by_its_word_and_where_there_is_none_by_its_flag(tmp_path: Path) -> None:
    changed = LIST.replace("1,d/b.png,0,-1,0", "1,d/b.png,0,-1,1").encode()
    path = edited(tmp_path, review.with_words(changed, {2: "keep"}).decode())
    assert review.read(path).fitted(FILES, LABELS).tolist() == [True, True, False, False]
    assert review.read(path).content == path.read_bytes()


def test_what_a_spreadsheet_makes_of_a_list_is_read_too(tmp_path: Path) -> None:
    """Sorted by score, in the form of another country, with a mark of its encoding, and a column more."""
    head, *rows = LIST.splitlines()
    text = "\r\n".join([f"{head},remark", *(f"{row},hm" for row in reversed(rows)), ""])
    path = edited(tmp_path, "\ufeff" + text.replace(",", ";").replace(";1;hm", ";TRUE;hm"))
    assert review.read(path).fitted(["e/a.png", "e/b.png", "e/c.png", "=d.png"], LABELS).tolist() == FLAGGED.tolist()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("index,", "number,", "list_columns"),
        (",flagged", ",flag", "list_columns"),
        (LIST, "", "list_columns"),
        ("3,'=d.png", "2,'=d.png", "list_row"),
        ("0,d/a.png", "-1,d/a.png", "list_row"),
        (",2,0.5,1", ",two,0.5,1", "list_row"),
        ("0.5,1", "0.5,perhaps", "list_row"),
        ("0.5,1", "0.5", "list_row"),
        ("flagged\n0,d/a.png,2,0.5,1", "flagged,reviewed\n0,d/a.png,2,0.5,1,gone", "list_row"),
        ("0,d/a.png,2,0.5,1\n", "", "list_rows"),
        ("3,'=d.png", "4,'=d.png", "list_rows"),
        (",1,-1.5,0", ",1,-1.5,0\n4,,1,0,0", "list_rows"),
        ("d/a.png", "d/z.png", "list_differs"),
        ("0,d/a.png,2", "0,d/a.png,1", "list_differs"),
    ],
)
def test_a_list_that_does_not_fit_is_one_sentence(tmp_path: Path, old: str, new: str, code: str) -> None:
    path = edited(tmp_path, LIST.replace(old, new, 1))
    with pytest.raises(BadInput) as fault:
        review.read(path).fitted(FILES, LABELS)
    assert fault.value.code == code
    assert str(path) in fault.value.message


def test_what_is_no_list_at_all_is_told(tmp_path: Path) -> None:
    picture = tmp_path / "picture.csv"
    picture.write_bytes(bytes(range(256)) * 600)
    for path, code in ((tmp_path, "list_unreadable"), (tmp_path / "no", "list_unreadable"), (picture, "list_")):
        with pytest.raises(BadInput) as fault:
            review.read(path)
        assert fault.value.code.startswith(code)


def test_a_visit_tells_its_words_and_its_truth(tmp_path: Path) -> None:
    (tmp_path / place.LIST).write_bytes(review.with_words(LIST.encode(), {2: "keep"}))
    found = place.listed(tmp_path, ["ss"])
    assert found.words == {2: "keep"}
    assert review.load(tmp_path, found).words == {2: "keep"}
    assert place.truth(tmp_path, 4) is None
    (tmp_path / place.TRUTH).write_text("[0, 3]")
    truth = place.truth(tmp_path, 4)
    assert truth is not None
    assert truth.tolist() == [True, False, False, True]
