import os
import subprocess
import sys

import pytest

from core.data import at_hand, load
from core.errors import BadInput


def test_importing_the_package_is_light():
    script = "import sys, core.data; print([m for m in ('torch','torchvision','sklearn','PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_set_is_known_by_its_name():
    assert load("digits").name == "digits"
    assert [name for name in ("signs", "digits", "cifar10", "gtsrb", "mine") if at_hand(name)] == ["signs", "digits"]


@pytest.mark.parametrize("name", ["signz", "/nowhere/at/all", "notes.txt"])
def test_neither_name_nor_path(name):
    with pytest.raises(BadInput, match=name) as caught:
        load(name)
    assert caught.value.code == "no_such_image_set"


def test_a_missing_npz_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"mine\.npz") as caught:
        load(tmp_path / "mine.npz")
    assert caught.value.code == "no_such_file"


@pytest.mark.parametrize(("name", "code"), [("pipe", "no_such_image_set"), ("pipe.npz", "unreadable_npz")])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name, code):
    os.mkfifo(tmp_path / name)
    with pytest.raises(BadInput, match=name) as caught:
        load(tmp_path / name)
    assert caught.value.code == code
