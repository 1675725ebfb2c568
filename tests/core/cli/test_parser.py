"""The command line, called in this process: mistakes in one sentence, exit codes, and help."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from core.cli import parser as cli
from core.runs import record
from core.runs.spec import Spec
from tests.conftest import DiskFull
from tests.core.cli.made_up import make_home

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_home(tmp_path, shipped, monkeypatch)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("purify /no/weights.pt --images signs", "/no/weights.pt"),
        ("purify --victim nobody", "'nobody'"),
        ("purify --images /no/images", "/no/images"),
        ("purify --device abacus --dims 9", "'abacus'"),
        ("purify --clean-budget 1.5", "1.5"),
        ("purify --clean-budget some", "'some' is neither a share"),
        ("purify core --images signs", "core is a folder without a file of weights"),
        ("purify ~nobody-of-this-name/w.pt --images signs", "~nobody-of-this-name/w.pt"),
        ("data ~nobody-of-this-name/x", "~nobody-of-this-name/x"),
        (f"data {'x' * 300}", "xxx"),
        ("purify --seed x", "--seed"),
        ("data-room digits --seed -1", "The value -1 for seed"),
        ("compare --seeds 4294967295 4294967296", "The value 4294967296 for seed"),
        ("purify --set epochs", "NAME=VALUE"),
        ("data /no/such/folder", "/no/such/folder"),
        ("runs show nothing", "nothing"),
        ("runs pause", "RUN"),
        ("replay nothing", "nothing"),
        ("replay last", "no run yet"),
        ("work /no/run", "no run /no/run"),
        ("dance", "dance"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    command: str, named: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(command.split())
    except SystemExit as left:  # argparse leaves by itself
        code = int(left.code or 0)
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert named in err
    assert len(err.splitlines()) == 1
    assert not home.exists()


def test_a_name_that_is_empty_is_no_default(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As where a script's variable is not set."""
    for arguments in (["purify", ""], ["scan", "", "--images", "signs"], ["purify", "--victim", ""]):
        assert cli.main(arguments) == 2
        assert "No model is named" in capsys.readouterr().err
    assert not home.exists()


def test_what_the_terminal_cannot_show_is_told_in_escapes(tmp_path: Path) -> None:
    """A class named in Japanese, and one in bytes that are no UTF-8, on a terminal that knows neither."""
    for name in ("猫".encode(), b"\x95\x5c"):
        folder = tmp_path / "photos" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (4, 4)).save(folder / f"{number}.png")
    done = subprocess.run(
        [sys.executable, "-m", "core", "data", str(tmp_path / "photos")],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "latin-1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u732b" in done.stdout
    assert "\\x95\\" in done.stdout


# help


@pytest.mark.parametrize("command", ["", *(name for name in cli.COMMANDS if name != "work")])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*command.split(), "--help"])
    assert left.value.code == 0
    examples = capsys.readouterr().out.rpartition(":\n  python -m core ")[2]
    assert examples.startswith(command or "purify")


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "python -m core purify" in capsys.readouterr().out


def test_defaults_are_shown_where_they_say_something(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["purify", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "(default: 0.05, " in out
    for empty in ("default: None", "default: {}", "default: True", "default: False"):
        assert empty not in out


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fills_up_in_the_work_is_one_sentence(
    home: Path, disk_full: DiskFull, capsys: pytest.CaptureFixture[str], fault: int
) -> None:
    run = record.create(Spec(victim="signs-badnets", images="signs"))
    with disk_full(fault=fault):
        assert cli.main(["runs", "stop", run.id]) == 1
    assert capsys.readouterr().err == f"A file could not be written: {os.strerror(fault)}.\n"


def test_what_a_comparison_refuses_is_not_offered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["compare", "--help"])
    assert "--out" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["purify", "--help"])
    assert "--out" in capsys.readouterr().out
