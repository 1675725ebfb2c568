import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from core.data import torchvision_sets
from core.data.download import Archive, fetch
from core.errors import BadInput


def tar(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return path


def archive(path, folder=""):
    content = path.read_bytes()
    return Archive(path.as_uri(), hashlib.md5(content).hexdigest(), len(content), folder)


def test_fetches_checks_and_unpacks(tmp_path):
    one = tar(tmp_path / "one.tar.gz", {"inside/a.txt": b"A"})
    two = tmp_path / "two.zip"
    with zipfile.ZipFile(two, "w") as file:
        file.writestr("b.txt", "B" * 1000)
    root, told = tmp_path / "root", []
    archives = [archive(one), archive(two, "sub")]
    fetch(archives, "Test", root, lambda done, total: told.append((done, total)))
    assert (root / "inside/a.txt").read_text() == "A"
    assert (root / "sub/b.txt").read_text() == "B" * 1000
    total = archives[0].size + archives[1].size
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_a_whole_archive_is_not_fetched_again(tmp_path):
    source, root = tar(tmp_path / "one.tar.gz", {"a.txt": b"A"}), tmp_path / "root"
    wanted = archive(source)
    root.mkdir()
    source.rename(root / "one.tar.gz")  # where it came from it is no more
    fetch([wanted], "Test", root)
    assert (root / "a.txt").read_text() == "A"


def test_a_wrong_checksum_leaves_nothing_behind(tmp_path):
    good = archive(tar(tmp_path / "one.tar.gz", {"a.txt": b"A"}))
    root = tmp_path / "root"
    with pytest.raises(BadInput, match="Test") as caught:
        fetch([Archive(good.url, "0" * 32, good.size, "")], "Test", root)
    assert caught.value.code == "download_damaged"
    assert list(root.iterdir()) == []


def test_no_network(tmp_path):
    gone = Archive((tmp_path / "gone.zip").as_uri(), "0" * 32, 10, "")
    with pytest.raises(BadInput, match=r"gone\.zip") as caught:
        fetch([gone], "Test", tmp_path / "root")
    assert caught.value.code == "download_failed"


def test_members_that_leave_the_folder_are_refused(tmp_path):
    evil = archive(tar(tmp_path / "evil.tar.gz", {"../../escaped.txt": b"!"}))
    with pytest.raises(BadInput):
        fetch([evil], "Test", tmp_path / "deep" / "root")
    assert not list(tmp_path.glob("**/escaped.txt"))


def test_cifar10_is_fetched_only_when_asked(tmp_path):
    """To a place where no folder can be made: the fetching ends there, before it asks the network."""
    root = tmp_path / "occupied"
    root.write_text("")
    for wanted, code in ((False, "image_set_not_found"), (True, "download_failed")):
        with pytest.raises(BadInput) as caught:
            torchvision_sets.load("cifar10", root, download=wanted)
        assert caught.value.code == code
    assert caught.value.facts["name"] == "CIFAR-10"
    assert caught.value.facts["folder"] == str(root)


@pytest.mark.parametrize("name", ["cifar10", "gtsrb"])
def test_checksums_are_those_of_torchvision(name):
    from torchvision.datasets import cifar, gtsrb

    source = Path((cifar if name == "cifar10" else gtsrb).__file__).read_text()
    for wanted in torchvision_sets.SOURCES[name].archives:
        assert wanted.md5 in source
        assert wanted.file in source


def test_a_lost_connection_leaves_no_half_set(tmp_path):
    one = archive(tar(tmp_path / "one.tar.gz", {"inside/a.txt": b"A"}))
    gone = Archive((tmp_path / "gone.zip").as_uri(), "0" * 32, 10, "")
    with pytest.raises(BadInput):
        fetch([one, gone], "Test", tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["one.tar.gz"]
