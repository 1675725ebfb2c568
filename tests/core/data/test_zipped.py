from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data import load, zipped
from core.data.zipped import unpack
from core.errors import BadInput
from tests.core.data.listings import end_record, hollow, listing


def picture(shade: int = 0) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(content, "png")
    return content.getvalue()


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def photos() -> dict[str, bytes]:
    return {f"{name}/{k}.png": picture(k) for name in ("cat", "dog") for k in range(3)}


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def refusal(path: Path, target: Path) -> BadInput:
    """The fault that unpacking ends with; nothing may be left of it."""
    before = files(target.parent)
    with pytest.raises(BadInput) as raised:
        unpack(path, target)
    assert not target.exists()
    assert files(target.parent) == before
    assert path.name in raised.value.message
    return raised.value


def test_class_folders_come_out_as_an_image_set(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    more = {"readme.txt": b"hello", "__MACOSX/cat/._0.png": b"x", ".DS_Store": b"x", "cat/.hidden.png": b"x"}
    path = archive(tmp_path / "a.zip", photos() | more)
    found = unpack(path, tmp_path / "out", lambda done, total: heard.append((done, total)))
    assert (found.images, found.left_out) == (6, 1)
    assert files(tmp_path / "out") == sorted(photos())
    assert heard[-1] == (6, 6)
    assert load(tmp_path / "out").class_names == ("cat", "dog")


def test_a_folder_around_everything_is_taken_off(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {f"./my photos/all/{name}": content for name, content in photos().items()})
    unpack(path, tmp_path / "out")
    assert files(tmp_path / "out") == sorted(photos())


def test_folders_may_lie_as_deep_as_is_said(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a/" * 12 + "1.png": picture()})
    assert unpack(path, tmp_path / "out").images == 1


def test_names_that_only_begin_alike_are_different(tmp_path: Path) -> None:
    names = ("cat.png", "cat.png.png", "cat!/1.png", "cat/1.png", "cat/1.png.png", "CAT2/1.png")
    path = archive(tmp_path / "a.zip", {name: picture() for name in names})
    assert unpack(path, tmp_path / "out").images == len(names)


def test_judging_deep_names_takes_memory_for_the_names_only(tmp_path: Path) -> None:
    """Each parent of each name, kept, would be the square of what the list takes: 60 MB for one of 1 MB."""
    names = [f"{number:05}/" + "ab/" * 230 + "1.png" for number in range(1200)]
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name in names:
            out.writestr(name, b"")
    tracemalloc.start()
    try:
        assert refusal(path, tmp_path / "out").code == "zip_too_deep"
        assert tracemalloc.get_traced_memory()[1] < 16e6
    finally:
        tracemalloc.stop()


def test_train_and_test_stay(tmp_path: Path) -> None:
    members = {f"set/{part}/{name}": content for part in ("train", "test") for name, content in photos().items()}
    unpack(archive(tmp_path / "a.zip", members), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"train", "test"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../evil.png", "zip_outside"),
        ("cat/../../evil.png", "zip_outside"),
        ("/etc/evil.png", "zip_outside"),
        ("..\\evil.png", "zip_outside"),
        ("C:\\evil.png", "zip_outside"),
        ("\\\\server\\evil.png", "zip_outside"),
        ("../readme.txt", "zip_outside"),  # also where it would not be written
        ("cat/a\nb.png", "zip_odd_name"),
        ("cat/\u202egnp.png", "zip_odd_name"),  # turns the direction of reading
        ("cat/" + "a" * 220 + ".png", "zip_odd_name"),
        ("猫" * 80 + "/1.png", "zip_odd_name"),
        ("cat/0.PNG", "zip_odd_name"),  # the same as cat/0.png on many disks
        ("cat/0.png/1.png", "zip_odd_name"),
        ("cat/more.zip", "zip_nested"),
        ("cat/all.npz", "zip_nested"),
        ("more.tar.gz", "zip_nested"),
        ("a/" * 13 + "1.png", "zip_too_deep"),
    ],
)
def test_names_that_do_not_belong_are_refused(tmp_path: Path, name: str, code: str) -> None:
    fault = refusal(archive(tmp_path / "a.zip", photos() | {name: picture()}), tmp_path / "out")
    assert fault.code == code
    assert fault.message.isprintable()


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010666], ids=["link", "device", "pipe"])
def test_links_and_devices_are_refused(tmp_path: Path, mode: int) -> None:
    path = archive(tmp_path / "a.zip", photos())
    with zipfile.ZipFile(path, "a") as out:
        member = zipfile.ZipInfo("cat/link.png")
        member.external_attr = mode << 16
        out.writestr(member, "/etc/passwd")
    assert refusal(path, tmp_path / "out").code == "zip_link"


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path / "a.zip", photos()).read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert refusal(tmp_path / "a.zip", tmp_path / "out").code == "zip_encrypted"


def test_an_unknown_packing_is_refused(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path / "a.zip", photos()).read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 10, 9)
    (tmp_path / "a.zip").write_bytes(content)
    fault = refusal(tmp_path / "a.zip", tmp_path / "out")
    assert fault.code == "zip_unreadable"
    assert "packed" in fault.message


def test_a_packing_that_unpacks_all_at_once_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as made:
        made.writestr("cat/0.png", bytes(1000))
    assert refusal(tmp_path / "a.zip", tmp_path / "out").code == "zip_unreadable"


def test_the_64_bit_record_tells_no_longer_list_than_is_allowed(tmp_path: Path) -> None:
    size = zipped.LARGEST_LIST + 1
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)
    end = record + locator + end_record(46)  # the plain record tells of one member
    path = hollow(tmp_path / "a.zip", size, end=end)
    assert refusal(path, tmp_path / "out").code == "zip_too_many"


def test_a_list_that_is_too_long_is_refused(tmp_path: Path) -> None:
    size = zipped.LARGEST_LIST + 1
    path = hollow(tmp_path / "a.zip", size, end=end_record(size))
    assert refusal(path, tmp_path / "out").code == "zip_too_many"


def test_a_list_of_too_many_members_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(listing(zipped.MAX_MEMBERS + 1))
    assert refusal(tmp_path / "a.zip", tmp_path / "out").code == "zip_too_many"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = hollow(tmp_path / "a.zip", zipped.LARGEST_ZIP + 1)
    assert refusal(path, tmp_path / "out").code == "zip_too_large"


@pytest.mark.parametrize(
    ("name", "size"), [("cat/9.png", zipped.LARGEST_IMAGE + 1), ("notes.txt", 0xF0000000)], ids=["image", "all"]
)
def test_what_would_be_too_large_unpacked_is_refused_by_what_the_list_says(
    tmp_path: Path, name: str, size: int
) -> None:
    content = bytearray(archive(tmp_path / "a.zip", photos() | {name: picture(), f"2{name}": picture()}).read_bytes())
    for place in (i for i in range(len(content)) if content.startswith(b"PK\x01\x02", i)):
        if content[place + 46 :].startswith((name.encode(), f"2{name}".encode())):
            struct.pack_into("<I", content, place + 24, size)
    (tmp_path / "a.zip").write_bytes(content)
    assert refusal(tmp_path / "a.zip", tmp_path / "out").code == "zip_too_large"


def test_bombs_are_refused(tmp_path: Path) -> None:
    fault = refusal(archive(tmp_path / "a.zip", photos() | {"cat/9.png": bytes(2**25)}), tmp_path / "out")
    assert fault.code == "zip_bomb"


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {f"cat/{k}.png": bytes([k]) * 1000 for k in range(2)})
    content = bytearray(path.read_bytes())
    for place in (i for i in range(len(content)) if content.startswith(b"PK\x01\x02", i)):
        struct.pack_into("<I", content, place + 20, len(content))  # each says it is as long as all
    path.write_bytes(content)
    assert refusal(path, tmp_path / "out").code == "zip_bomb"


def test_a_member_larger_than_announced_is_never_written_whole(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"cat/0.png": bytes(5000), "dog/0.png": picture()})
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 10)
    path.write_bytes(content)
    assert refusal(path, tmp_path / "out").code in ("zip_unreadable", "zip_bomb")


def test_a_full_disk_is_told(tmp_path: Path, free_disk: Callable[[int], None]) -> None:
    free_disk(10)
    with pytest.raises(BadInput) as raised:
        unpack(archive(tmp_path / "a.zip", photos()), tmp_path / "out")
    assert raised.value.code == "no_room"


def test_an_archive_without_images_is_told(tmp_path: Path) -> None:
    assert refusal(archive(tmp_path / "a.zip", {"cat/0.txt": b"x"}), tmp_path / "out").code == "zip_without_images"
    assert refusal(archive(tmp_path / "b.zip", {}), tmp_path / "out").code == "zip_without_images"


def test_a_file_that_is_no_zip_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"just some text that goes on for a while")
    assert refusal(tmp_path / "a.zip", tmp_path / "out").code == "zip_unreadable"


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_japanese_names_come_out_as_they_were_written(tmp_path: Path, encoding: str) -> None:
    """Windows writes names in the system's own character set and says nothing of it."""
    names = {letter: name.encode(encoding) for letter, name in (("A", "ねこ"), ("B", "いぬ"))}
    content = archive(tmp_path / "a.zip", {f"{k * len(raw)}/0.png": picture() for k, raw in names.items()}).read_bytes()
    for letter, raw in names.items():
        content = content.replace(letter.encode() * len(raw) + b"/", raw + b"/")
    (tmp_path / "a.zip").write_bytes(content)
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == {"ねこ", "いぬ"}


def test_a_name_that_ends_early_is_refused(tmp_path: Path) -> None:
    content = archive(tmp_path / "a.zip", photos() | {"cat/good.png_.png": picture()}).read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"good.png_", b"good.png\x00"))
    assert refusal(tmp_path / "a.zip", tmp_path / "out").code == "zip_odd_name"


def contained(room: Path) -> None:
    """Unpacks an archive that may be anything: refused or read, and nothing is written elsewhere."""
    codes = []
    try:
        unpack(room / "a.zip", room / "inner" / "out")
    except BadInput as fault:
        codes.append(fault.code)
    assert all(code.startswith("zip_") for code in codes)
    assert {path.name for path in room.iterdir()} <= {"a.zip", "inner"}
    assert {path.name for path in (room / "inner").iterdir()} <= {"out"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=12), st.integers(0, 2000))
def test_a_damaged_archive_is_refused_or_read_and_never_writes_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    room = tmp_path_factory.mktemp("room")
    content = bytearray(archive(room / "a.zip", photos()).read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    (room / "a.zip").write_bytes(content[: len(content) - cut // 10])
    contained(room)


NAMES = st.text(st.sampled_from("ab./\\:\n é猫"), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5))
def test_whatever_members_are_called_nothing_is_written_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    room = tmp_path_factory.mktemp("room")
    with zipfile.ZipFile(room / "a.zip", "w") as out:
        for name in dict.fromkeys(names):
            out.writestr(name + ".png", picture())
    contained(room)
