"""``data``: an image set is described, drawn and named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import images
from core.cli import parser as cli

pytestmark = pytest.mark.usefixtures("home")


def test_data_describes_a_folder_and_draws_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
    y = np.arange(12) % 3
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    assert cli.main(["data", str(tmp_path / "set.npz"), "--sheet", str(tmp_path / "sheet.png")]) == 0
    out = capsys.readouterr().out
    assert "12 training and 6 test images of 16 x 16 pixels in 3 classes" in out
    assert Image.open(tmp_path / "sheet.png").size == (images.A_ROW * 50, 3 * 50)
    assert cli.main(["data", str(tmp_path / "set.npz"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["train"], facts["test"], facts["sheet"]) == ([4, 4, 4], [2, 2, 2], None)
    assert cli.main(["data", str(tmp_path / "set.npz"), "--sheet", str(tmp_path / "sheet.txt")]) == 2
    assert ".png" in capsys.readouterr().err


def test_data_without_a_name_lists_the_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data"]) == 0
    out = capsys.readouterr().out
    for name in ("signs", "digits", "cifar10", "gtsrb"):
        assert name in out
