"""The settings of MCL, and which of its two methods they stand for."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest

from core.defenses.mcl import PRESETS, make, settings_for
from core.defenses.mcl.published import Published
from core.defenses.mcl.purifier import Purifier
from core.defenses.mcl.settings import MCLSettings, PublishedSettings
from core.errors import BadInput
from tests.core.tiny import Tiny


def test_settings_of_the_presets() -> None:
    assert settings_for("default") == PRESETS["default"]
    assert settings_for("default", "gtsrb") == PRESETS["default"]
    published = settings_for("published")
    assert isinstance(published, PublishedSettings)
    assert (published.tau, published.momentum, published.weight_decay, published.batch) == (0.5, 0.9, 1e-4, 64)
    assert (published.epochs, published.lr, published.lr_epochs) == (20, (0.1, 0.01, 0.001), (0, 1, 10))
    on_gtsrb = settings_for("published", "gtsrb")
    assert isinstance(on_gtsrb, PublishedSettings)
    assert (on_gtsrb.lr, on_gtsrb.lr_epochs) == ((0.01, 0.001, 0.0001), (0, 2, 10))


def test_single_settings_change_and_the_preset_does_not() -> None:
    before = PRESETS["default"]
    changed = settings_for("default", epochs=2, lr=0.5, tau=1)
    assert isinstance(changed, MCLSettings)
    assert isinstance(before, MCLSettings)
    assert (changed.epochs, changed.lr, changed.tau) == (2, 0.5, 1.0)
    assert replace(changed, epochs=before.epochs, lr=before.lr, tau=before.tau) == before
    assert PRESETS["default"] is before


@pytest.mark.parametrize(
    ("preset", "changes", "code"),
    [
        ("fast", {}, "unknown_preset"),
        ("default", {"speed": 1}, "unknown_setting"),
        ("default", {"__class__": 1}, "unknown_setting"),
        ("default", {"tau": "warm"}, "bad_setting"),
        ("default", {"tau": 0}, "bad_setting"),
        ("default", {"tau": True}, "bad_setting"),
        ("default", {"tau": math.nan}, "bad_setting"),
        ("default", {"tau": math.inf}, "bad_setting"),
        ("default", {"epochs": 1.5}, "bad_setting"),
        ("default", {"epochs": math.inf}, "bad_setting"),
        ("default", {"batch": 0}, "bad_setting"),
        ("default", {"check_every": 0}, "bad_setting"),
        ("default", {"holdout": 1}, "bad_setting"),
        ("default", {"momentum": 1.5}, "bad_setting"),
        ("default", {"average": 0.9}, "unknown_setting"),
        ("default", {"lr": -0.1}, "bad_setting"),
        ("default", {"lr": None}, "bad_setting"),
        ("default", {"lr": []}, "bad_setting"),
        ("default", {"keep": [1, 2]}, "bad_setting"),
        ("published", {"lr": [0.1, 0.01]}, "lr_epochs"),
        ("published", {"lr": 0.1}, "lr_epochs"),
        ("default", {"lr": [0.1, 0.2]}, "bad_setting"),
        ("default", {"anneal": 0}, "bad_setting"),
        ("default", {"mixed": 1.5}, "bad_setting"),
        ("default", {"rounds": 0.5}, "bad_setting"),
        ("default", {"lr_epochs": 1}, "unknown_setting"),
        ("published", {"margin": 1}, "unknown_setting"),
        ("published", {"lr_epochs": [1, 2, 3]}, "bad_setting"),
        ("published", {"lr_epochs": [0, 5, 2]}, "bad_setting"),
    ],
)
def test_settings_that_cannot_be(preset: str, changes: dict, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        settings_for(preset, **changes)
    assert caught.value.code == code
    if code != "lr_epochs":
        assert all(name in caught.value.message for name in changes)


def test_the_settings_say_which_method_it_is(tiny: Tiny) -> None:
    for preset, kind in (("default", Purifier), ("published", Published)):
        assert type(make(tiny.model, tiny.x, tiny.y, [tiny.aimed], settings_for(preset))) is kind


def test_settings_are_read_without_torch() -> None:
    script = (
        "import sys; from core.defenses.mcl import settings_for; settings_for('default'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
