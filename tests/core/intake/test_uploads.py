from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import paths
from core.errors import BadInput
from core.files import write_json
from core.intake import inspection, leftovers, uploads
from core.jobs.process import identity
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def keep(kind: uploads.Kind = "weights", name: str = "net.pth", content: bytes = b"weights") -> uploads.Upload:
    return uploads.keep(kind, name, io.BytesIO(content))


def run_with(weights: uploads.Upload, images: str = "digits", **entries: object) -> Run:
    run = record.create(Spec(weights=str(weights.path), images=images))
    run.update(**({"status": "done"} | entries))
    return run


def test_what_was_given_is_found_again() -> None:
    first, second = keep(content=b"12345"), keep("images", "photos.zip")
    assert first.file.read_bytes() == b"12345"
    assert first.path == first.file
    assert [upload.id for upload in uploads.everything()] == [second.id, first.id]
    assert uploads.find(first.id) == first
    assert (first.kind, first.name, second.kind) == ("weights", "net.pth", "images")
    assert first.size > 5  # with its note


def test_unpacked_images_are_what_a_run_is_given() -> None:
    upload = keep("images", "photos.zip")
    upload.unpacked.mkdir()
    assert upload.path == upload.file.with_name("photos")
    assert upload.path.is_dir()


def test_what_lies_in_an_upload_is_called_as_the_visitor_called_it() -> None:
    net, photos = keep(name="my net.v2"), keep("images", "my photos.zip")
    given = (str(net.path), str(photos.path))
    inside = photos.unpacked / "cat" / "1.png"
    assert uploads.as_called(f"{inside} is damaged", *given) == "my photos.zip/cat/1.png is damaged"
    assert uploads.as_called(str(photos.file), *given) == "my photos.zip"
    assert uploads.as_called(photos.unpacked.name, *given) == "my photos.zip"
    assert uploads.as_called(net.file.name, *given) == "my net.v2"
    assert uploads.as_called("/elsewhere/1.png", "/elsewhere", *given) == "/elsewhere/1.png"


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\x\\y.pth", "..", ".", "", "\x00\n", "a" * 500, "ねこ.pth"])
def test_a_name_is_never_a_path(name: str) -> None:
    upload = keep(name=name)
    assert upload.file.parent == paths.uploads_folder() / upload.id / leftovers.ROOM
    assert upload.file.exists()
    assert upload.name.isprintable()


@pytest.mark.parametrize(
    "name", ["upload.json", "UPLOAD.JSON", ".lock", "given", "net.exe", "net.pth.lock", "net.p/th", "x.\u2024pth"]
)
def test_no_name_and_no_ending_meets_what_we_write_ourselves(name: str) -> None:
    upload = keep(name=name, content=b"the weights")
    found = uploads.find(upload.id)
    assert found is not None
    assert (found.file.read_bytes(), found.kind) == (b"the weights", "weights")
    assert [entry.name for entry in found.file.parent.iterdir()] == [found.file.name]
    assert found.file.suffix in ("", *uploads.ENDINGS)
    assert sorted(entry.name for entry in found.folder.iterdir()) == [leftovers.LOCK, leftovers.ROOM, "upload.json"]


def test_known_endings_stay() -> None:
    names = ("net v2.pth", "model.SAFETENSORS", "resnet.v1.pt2", "a.tar")
    assert [keep(name=name).file.name for name in names] == [
        "net-v2.pth",
        "model.safetensors",
        "resnet-v1.pt2",
        "a.tar",
    ]


def test_uploads_of_an_earlier_layout_are_still_found() -> None:
    folder = paths.uploads_folder() / "0123456789ab"
    folder.mkdir(parents=True)
    (folder / "net.pth").write_bytes(b"weights")
    write_json(folder / "upload.json", {"kind": "weights", "name": "net.pth", "file": "net.pth", "size": 7})
    found = uploads.find("0123456789ab")
    assert found is not None
    assert found.path.read_bytes() == b"weights"


def test_what_a_killed_server_half_kept_is_swept_by_the_next_upload() -> None:
    half = paths.uploads_folder() / ".0123456789ab"
    (half / leftovers.ROOM).mkdir(parents=True)
    (half / leftovers.ROOM / "net.pth").write_bytes(b"half")
    os.utime(half, (1e9, 1e9))
    upload = keep()
    assert [folder.name for folder in paths.uploads_folder().iterdir()] == [upload.id]


def test_an_upload_that_is_being_kept_is_not_swept() -> None:
    """A second visitor's upload begins while the first one's is still coming in, slowly."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            content = super().read(2)
            for half in paths.uploads_folder().glob(".*"):
                os.utime(half, (1e9, 1e9))
            if content == b"12":
                keep(content=b"other")
            return content

    upload = uploads.keep("weights", "net.pth", Slow(b"1234"))
    assert upload.file.read_bytes() == b"1234"
    assert len(uploads.everything()) == 2


def test_a_zip_that_was_unpacked_meanwhile_is_read_from_its_folder(tmp_path: Path) -> None:
    upload = keep("images", "photos.zip")
    assert uploads.lies_now(str(upload.file)) == str(upload.file)
    upload.unpacked.mkdir()
    assert uploads.lies_now(str(upload.file)) == str(upload.unpacked)
    assert uploads.lies_now(str(upload.unpacked)) == str(upload.unpacked)
    assert uploads.lies_now("digits") == "digits"
    assert uploads.lies_now(str(tmp_path / "photos.zip")) == str(tmp_path / "photos.zip")


@given(st.text(max_size=40))
def test_whatever_a_file_is_called_it_is_kept_under_a_plain_name(name: str) -> None:
    plain = uploads.plain_name(uploads.shown_name(name))
    assert Path(plain).name == plain
    assert not plain.startswith(".")
    assert 0 < len(plain.encode()) < 255
    assert not set(plain) & set("/\\\0 \n'\"$`*?;|&<>")


def test_a_file_beyond_the_limit_is_refused_and_nothing_kept() -> None:
    limit = 2 * uploads.MB
    with pytest.raises(BadInput) as raised:
        uploads.keep("weights", "net.pth", io.BytesIO(bytes(limit + 1)), largest=limit)
    assert raised.value.code == "upload_too_large"
    assert "2 MB" in raised.value.message
    assert list(paths.uploads_folder().iterdir()) == []
    assert uploads.keep("weights", "net.pth", io.BytesIO(bytes(limit)), largest=limit).size > limit


@pytest.mark.parametrize(
    ("kind", "name", "content", "code"),
    [
        ("weights", "net.pth", b"", "upload_empty"),
        ("images", "photos.rar", b"x", "upload_not_images"),
        ("images", "photo.png", b"x", "upload_not_images"),
    ],
)
def test_what_cannot_be_used_is_refused(kind: uploads.Kind, name: str, content: bytes, code: str) -> None:
    with pytest.raises(BadInput) as raised:
        keep(kind, name, content)
    assert raised.value.code == code
    assert name in raised.value.message
    assert uploads.everything() == []


def test_removing_leaves_nothing_of_it() -> None:
    upload, other = keep("images", "photos.zip"), keep()
    upload.unpacked.mkdir()
    (upload.unpacked / "1.png").write_bytes(b"x")
    uploads.remove(upload)
    assert [folder.name for folder in paths.uploads_folder().iterdir()] == [other.id]
    assert uploads.find(upload.id) is None


def test_runs_say_that_their_upload_was_removed() -> None:
    upload, other = keep(), keep()
    run, apart = run_with(upload), run_with(other)
    everything = record.list_runs(recordings=False)
    assert [used.id for used in uploads.used_by(upload.id, everything)] == [run.id]
    assert not uploads.missing(run)
    uploads.remove(upload)
    assert uploads.missing(run)
    assert not uploads.missing(apart)


def test_removing_images_removes_the_small_pictures_made_of_them() -> None:
    weights, images = keep(), keep("images", "photos.npz")
    run = run_with(weights, str(images.path))
    for name in ("thumbs.webp", "examples.npz", "looks.npz", "samples.npz"):
        (run.folder / name).write_bytes(b"x")
    folder = inspection.folder_of("abc")
    folder.mkdir(parents=True)
    spec = Spec(weights=str(weights.path), images=str(images.path)).to_dict()
    write_json(folder / "note.json", {"format": inspection.FORMAT, "spec": spec, "ended": True})
    uploads.remove(images)
    assert not (run.folder / "thumbs.webp").exists()
    assert not (run.folder / "examples.npz").exists()
    assert not (run.folder / "looks.npz").exists()
    assert (run.folder / "samples.npz").exists()
    assert not folder.exists()


def test_an_upload_that_a_run_needs_now_stays() -> None:
    upload = keep()
    run = run_with(upload, status="running", worker=identity())
    with pytest.raises(BadInput) as raised:
        uploads.remove(upload)
    assert raised.value.code == "upload_in_use"
    assert run.id in raised.value.message
    assert uploads.find(upload.id) == upload


def test_a_path_tells_the_upload_it_lies_in() -> None:
    upload = keep("images", "photos.zip")
    assert uploads.holding(str(upload.unpacked / "cat" / "1.png")) == upload.id
    assert uploads.holding("digits") is None
    assert uploads.holding(None) is None
    assert uploads.holding(str(paths.uploads_folder() / ".." / upload.id)) is None


@pytest.mark.parametrize("identifier", [None, "", "..", "../runs", "0123456789ab"])
def test_an_id_that_is_none_finds_nothing(identifier: str | None) -> None:
    keep()
    assert uploads.find(identifier) is None


def test_a_damaged_note_is_passed_over() -> None:
    upload = keep()
    (upload.folder / "upload.json").write_text("{")
    assert uploads.everything() == []
