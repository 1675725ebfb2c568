"""``train``: weights with a card, and orders that cannot be carried out."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from core.attacks import ATTACKS
from core.attacks.training import TrainSettings
from core.cli import parser as cli
from core.cli.train import settings_of
from tests.conftest import DiskFull

pytestmark = pytest.mark.usefixtures("home")


def own_set(folder: Path) -> Path:
    """Forty images of two classes."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = (y[:, None, None, None] * 100 + rng.integers(0, 100, (40, 16, 16, 3))).astype(np.uint8)
    np.savez(folder / "set.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return folder / "set.npz"


def test_train_writes_weights_and_a_card_and_refuses_to_overwrite_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "victim"
    command = (
        f"train --data {own_set(tmp_path)} --attack badnets --attack-set side=4 --target 1 --rate 0.2 --epochs 1 "
        f"--train-set batch=20 --train-set lr=0.05 --device cpu --out {out}"
    ).split()
    assert cli.main([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (facts["target"], facts["attack_settings"], facts["training"]["batch"]) == (1, {"side": 4}, 20)
    assert facts["out"] == f"{out}.safetensors"
    assert json.loads(Path(f"{out}.json").read_text())["ba"] == facts["ba"]
    before = Path(f"{out}.safetensors").read_bytes()
    assert cli.main(command) == 2
    assert "already" in capsys.readouterr().err
    assert Path(f"{out}.safetensors").read_bytes() == before


def test_room_for_the_weights_is_looked_for_before_the_training(
    tmp_path: Path, disk_full: DiskFull, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of weights that would take minutes of training, 11.2 million numbers of four bytes, and a megabyte besides."""
    command = (
        f"train --data {own_set(tmp_path)} --epochs 100 --arch preact-resnet18 --device cpu --out {tmp_path / 'a'}"
    )
    with disk_full(after=1):  # the folder was looked at when the order was read
        assert cli.main(command.split()) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "44 MB" in err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--train-set lr=fast", "lr=fast"),
        ("--train-set lr=NaN", "lr=nan"),
        ("--train-set lr=-1", "lr=-1"),
        ("--train-set shift=-1", "shift=-1"),
        ("--train-set label_smoothing=2", "label_smoothing=2"),
        ("--train-set speed=1", "speed=1"),
        ("--train-set flip=2", "flip=2"),
        ("--train-set flip=yes", "flip=yes"),
        ("--train-set shift=True", "shift=True"),
        ("--train-set epochs=1.5", "epochs=1.5"),
        ("--epochs 0", "epochs=0"),
        ("--data /no/where", "/no/where"),
        ("--out /dev/null/x", "/dev/null"),
    ],
)
def test_wrong_orders_to_train_are_one_sentence(
    options: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--out", str(tmp_path / "victim"), *options.split()]) == 2
    err = capsys.readouterr().err
    assert named in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("spelling", ["True", "true", "1", "False", "false", "0"])
def test_yes_and_no_are_taken_as_json_and_as_python_write_them(spelling: str) -> None:
    given = cli.parser().parse_args(["train", "--train-set", f"flip={spelling}"])
    assert settings_of(given).flip is (spelling in ("True", "true", "1"))


def test_the_refusal_lists_what_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--train-set", "flip=perhaps"]) == 2
    err = capsys.readouterr().err
    assert all(f"{field.name}={field.default}" in err for field in fields(TrainSettings))
    assert "false, true, 0 and 1" in err


def test_help_names_every_attack(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    out = "".join(capsys.readouterr().out.split())  # lines are broken after hyphens
    assert [name for name in ATTACKS if name not in out] == []
