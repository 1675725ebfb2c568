"""A visitor's picture as it is kept: hostile, limited, under a name of ours; what is asked for, and of whom."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.explore import pictures, place
from core.explore.settled import Settled
from core.files import write_json
from core.runs.record import Run
from tests.conftest import Started

KEY = Settled().key


def files(run: Run) -> list[Path]:
    return sorted(path for path in place.folder_of(run).rglob("*") if path.is_file())


def test_a_picture_is_kept_as_it_came_under_a_name_of_ours(recording: Run) -> None:
    subject = pictures.keep(recording, "../../a b;rm.PNG", b"whatever this is")
    source = pictures.source_of(recording, subject)
    assert isinstance(source, Path)
    assert files(recording) == [source]
    assert source.parent == place.folder_of(recording) / "pictures"
    assert source.suffix == ".png"
    assert source.read_bytes() == b"whatever this is"
    assert pictures.keep(recording, "the same.png", b"whatever this is") == subject
    assert pictures.subject_of(str(source)) == subject
    assert not str(source).startswith(str(recording.folder)), "a recording is never written to"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.svg", b"<svg/>", "unreadable_image"),
        ("a", b"x", "unreadable_image"),
        ("a.png", b"", "upload_empty"),
        ("a.png", bytes(pictures.LARGEST + 1), "picture_too_large"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused_and_not_kept(
    recording: Run, name: str, content: bytes, code: str
) -> None:
    with pytest.raises(BadInput) as fault:
        pictures.keep(recording, name, content)
    assert (fault.value.code, fault.value.facts["file"]) == (code, name)
    assert files(recording) == []


def test_the_oldest_go_with_what_was_found_of_them(recording: Run) -> None:
    subjects = []
    for moment in range(pictures.KEPT + 1):
        subjects.append(pictures.keep(recording, "a.png", bytes([moment])))
        source = pictures.source_of(recording, subjects[-1])
        if isinstance(source, Path) and moment < pictures.KEPT:
            os.utime(source, (moment, moment))
        if moment == 0:
            pictures.refuse(recording, subjects[0], KEY, BadInput("no_transform", "No."))
    assert [pictures.source_of(recording, subject) is None for subject in subjects] == [True] + [False] * pictures.KEPT
    assert pictures.refusal(recording, subjects[0], KEY) is None


def test_a_picture_that_another_visit_removes_meanwhile_is_no_hindrance(
    recording: Run,
) -> None:
    pictures.keep(recording, "a.png", b"1")
    (place.folder_of(recording) / "pictures" / "0123456789abcdef.png").symlink_to("gone")  # listed, and not there
    assert pictures.source_of(recording, pictures.keep(recording, "b.png", b"2")) is not None


@pytest.mark.parametrize("subject", ["picture-../../../etc/passwd", "picture-*", "point-", "", "base-1", "point-1/2"])
def test_a_subject_that_is_none_names_no_file(recording: Run, subject: str) -> None:
    kept = pictures.keep(recording, "a.png", b"x")
    assert pictures.source_of(recording, subject) is None
    pictures.remove(recording, subject)
    write_json(place.folder_of(recording) / "wanted-place.json", {"subject": subject, "key": KEY})
    assert pictures.wanted(recording) is None
    assert pictures.source_of(recording, kept) is not None


def test_a_number_is_a_point_unless_a_file_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert pictures.subject_of("17") == "point-17"
    (tmp_path / "17").write_bytes(b"x")
    assert pictures.subject_of("17").startswith("picture-")
    assert pictures.subject_of(str(tmp_path / "nothing.png")).startswith("picture-")


def test_a_picture_is_asked_for_with_the_map_it_is_to_lie_on(own_run: Run, no_worker_starts: Started) -> None:
    subject = pictures.keep(own_run, "a.png", b"x")
    pictures.want(own_run, subject, KEY)
    source = pictures.source_of(own_run, subject)
    linger = str(pictures.LINGER)
    asked = ["--place", str(source), "--settled", KEY, "--linger", linger]
    assert no_worker_starts == [["core", "explore", str(own_run.folder), *asked]]
    assert place.kind_of(asked) == "place"
    assert pictures.wanted(own_run) == (subject, KEY)
    no_worker_starts.end()
    pictures.want(own_run, "point-3", KEY)
    assert no_worker_starts[1][3:5] == ["--place", "3"]
    no_worker_starts.end()

    placed = pictures.Placed(*(np.zeros((1, 2, 2), np.float32) for _ in range(5)))
    place.write(own_run, pictures.name_of("point-3", KEY), placed)
    pictures.want(own_run, "point-3", KEY)
    assert len(no_worker_starts) == 2, "it is there"
    pictures.remove(own_run, subject)
    pictures.want(own_run, subject, KEY)
    assert len(no_worker_starts) == 2, "there is nothing to place"


def test_the_map_that_takes_the_picture_is_among_the_newest(own_run: Run, no_worker_starts: Started) -> None:
    keys = [Settled().key, Settled(3).key]
    for moment, key in enumerate(keys):
        made = place.DrawnMap(np.zeros((1, 6, 2), np.float32), np.ones(1, np.float32))
        os.utime(place.write(own_run, place.settled_name(key), made), (moment, moment))
    assert place.settled_keys(own_run) == keys[::-1]
    pictures.want(own_run, "point-3", keys[0])
    assert place.settled_keys(own_run) == keys


def test_who_asks_again_is_not_told_the_old_refusal(own_run: Run, no_worker_starts: Started) -> None:
    place.folder_of(own_run).mkdir(exist_ok=True)
    pictures.refuse(own_run, "point-3", KEY, BadInput("no_such_point", "None.", point=3, most=1))
    told = pictures.refusal(own_run, "point-3", KEY)
    assert told is not None
    assert (told["code"], told["facts"]) == ("no_such_point", {"point": 3, "most": 1})
    pictures.want(own_run, "point-3", KEY)
    assert pictures.refusal(own_run, "point-3", KEY) is None
    assert len(no_worker_starts) == 1


def test_damaged_results_read_as_none(own_run: Run) -> None:
    folder = place.folder_of(own_run)
    folder.mkdir()
    name = pictures.name_of("point-3", KEY)
    for file in (f"{name}.npz", f"{name}.json", "wanted-place.json"):
        (folder / file).write_bytes(b"PK\x03\x04 not whole")
    assert pictures.placed(own_run, "point-3", KEY) is None
    assert pictures.refusal(own_run, "point-3", KEY) is None
    assert pictures.wanted(own_run) is None


def test_places_go_with_the_features_they_were_found_by(own_run: Run) -> None:
    subject = pictures.keep(own_run, "a.png", b"x")
    pictures.refuse(own_run, subject, KEY, BadInput("no_transform", "No."))
    place.forget(own_run)
    assert pictures.refusal(own_run, subject, KEY) is None
    assert pictures.source_of(own_run, subject) is not None


def test_one_process_is_asked_for_the_next_picture(own_run: Run, no_worker_starts: Started) -> None:
    """The note says that one is there; what it is to do next stands beside it."""
    for point in (3, 4):
        pictures.want(own_run, f"point-{point}", KEY)
    assert len(no_worker_starts) == 1
    assert json.loads((place.folder_of(own_run) / "wanted-place.json").read_bytes())["subject"] == "point-4"
