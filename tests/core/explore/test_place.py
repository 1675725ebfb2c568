from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from core.cli import parser as cli
from core.errors import BadInput
from core.explore import place
from core.files import write_json
from core.jobs import process
from core.runs.record import Run
from tests.conftest import DiskFull, Started


def test_the_results_of_a_recording_follow_its_content(recording: Run, own_run: Run) -> None:
    there = place.folder_of(recording)
    assert there.parent.name == "explore"
    assert recording.folder not in there.parents
    assert place.folder_of(own_run).parent == own_run.folder


def test_one_process_of_a_kind_at_a_time(own_run: Run, no_worker_starts: Started) -> None:
    place.start(own_run)
    place.start(own_run)
    place.start(own_run, "--map", "tsne", "--dims", "2")
    assert no_worker_starts == [
        ["core", "explore", str(own_run.folder)],
        ["core", "explore", str(own_run.folder), "--map", "tsne", "--dims", "2"],
    ]
    assert {job.kind for job in place.jobs(own_run) if job.at_work} == {"base", "tsne-2"}


def test_nothing_is_begun_where_its_result_has_no_room(
    own_run: Run, no_worker_starts: Started, disk_full: DiskFull, capsys: pytest.CaptureFixture[str]
) -> None:
    for begin in (lambda: place.start(own_run), lambda: place.want(own_run, 1)):
        with disk_full(), pytest.raises(BadInput) as caught:
            begin()
        assert caught.value.code == "place_not_writable"
    assert no_worker_starts == []
    with disk_full():
        assert cli.main(["explore", own_run.id]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_point_is_asked_for_of_the_process_that_is_there(own_run: Run, no_worker_starts: Started) -> None:
    place.want(own_run, 4)
    place.want(own_run, 5)
    assert place.wanted(own_run) == 5
    assert len(no_worker_starts) == 1
    write_json(place.note_of(own_run, "saliency"), {"worker": process.identity(), "ended": True})
    place.want(own_run, 6)
    assert no_worker_starts[-1][-4:] == ["--saliency", "6", "--linger", str(place.LINGER)]


def test_a_settled_map_is_asked_for_of_the_process_that_has_umap_loaded(
    own_run: Run, no_worker_starts: Started
) -> None:
    place.want_settled(own_run, "dims=2")
    place.want_settled(own_run, "dims=3")
    assert place.wanted_settled(own_run) == "dims=3"
    assert [command[-4:] for command in no_worker_starts] == [["--settled", "dims=2", "--linger", str(place.LINGER)]]
    assert place.kind_of(no_worker_starts[0][3:]) == "settled"
    write_json(place.note_of(own_run, "settled"), {"worker": process.identity(), "ended": True})
    made = place.DrawnMap(np.zeros((1, 6, 3), np.float32), np.ones(1, np.float32))
    place.write(own_run, place.settled_name("dims=3"), made)
    place.want_settled(own_run, "dims=3")
    assert len(no_worker_starts) == 1, "it is there"
    assert place.settled_keys(own_run) == ["dims=3"]


def test_damaged_results_read_as_none(own_run: Run) -> None:
    folder = place.folder_of(own_run)
    folder.mkdir()
    for name in ("base.npz", "map-pca-2.npz", "saliency-3.npz", "map-settled-dims=2.npz", "wanted.json",
                 "wanted-settled.json", "job-base.json"):  # fmt: skip
        (folder / name).write_bytes(b"PK\x03\x04 not whole")
    assert place.base(own_run) is None
    assert place.map_of(own_run, "pca", 2) is None
    assert place.saliency(own_run, 3) is None
    assert place.settled_map(own_run, "dims=2") is None
    assert place.wanted(own_run) is None
    assert place.wanted_settled(own_run) is None
    assert place.job(own_run, "base") is None


def test_a_map_that_an_older_version_drew_is_shown_without_its_trustworthiness(own_run: Run) -> None:
    folder, coords = place.folder_of(own_run), np.ones((2, 6, 3), np.float32)
    folder.mkdir()
    np.savez_compressed(folder / "map-umap-3.npz", coords=coords)
    found = place.map_of(own_run, "pca", 2), place.map_of(own_run, "umap", 3)
    assert found[0] is None
    assert found[1] is not None
    np.testing.assert_array_equal(found[1].coords, coords)
    assert found[1].trust.shape == (2,)
    assert np.isnan(found[1].trust).all()


def test_a_page_that_polls_reads_the_model_once(own_run: Run) -> None:
    before, path = place.source_of(own_run), own_run.folder / "model.safetensors"
    old = path.stat()
    path.write_bytes(bytes(old.st_size))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))  # whoever reads it notices; whoever looks at its state cannot
    assert place.source_of(own_run) == before


def test_another_model_of_the_same_size_is_noticed(own_run: Run) -> None:
    before, path = place.source_of(own_run), own_run.folder / "model.safetensors"
    old = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    assert place.source_of(own_run) != before
    path.unlink()
    assert place.source_of(own_run) not in (before, "")


def test_two_pages_at_once_wait_for_one_process(own_run: Run, no_worker_starts: Started) -> None:
    second = threading.Thread(target=place.start, args=(own_run, "--map", "tsne", "--dims", "2"))

    def press() -> None:
        if second.ident is None:
            second.start()  # while the first is about to start, and has time to do the same
            second.join(0.5)

    no_worker_starts.meanwhile = press
    place.start(own_run, "--map", "tsne", "--dims", "2")
    second.join(60)
    assert len(no_worker_starts) == 1


def test_what_is_there_is_not_made_again(own_run: Run, no_worker_starts: Started) -> None:
    made = place.DrawnMap(np.zeros((1, 6, 2), np.float32), np.ones(1, np.float32))
    place.write(own_run, "map-tsne-2", made)
    place.start(own_run, "--map", "tsne", "--dims", "2")  # of a page that does not know yet
    assert no_worker_starts == []
    place.start(own_run, "--map", "tsne", "--dims", "3")
    assert len(no_worker_starts) == 1
