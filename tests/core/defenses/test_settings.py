"""The settings of MCL."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from core.defenses.settings import PRESETS, settings_for
from core.errors import BadInput


def test_settings_of_the_presets() -> None:
    assert settings_for("default") == PRESETS["default"]
    assert settings_for("default", "gtsrb") == PRESETS["default"]
    published = settings_for("published")
    assert (published.tau, published.momentum, published.weight_decay, published.batch) == (0.5, 0.9, 1e-4, 64)
    assert (published.clean, published.supervised, published.keep, published.average) == (0, 0, 0, 0)
    assert published.epochs == 20


def test_single_settings_change_and_the_preset_does_not() -> None:
    before = PRESETS["default"]
    changed = settings_for("default", epochs=2, lr=(0.5,), tau=1)
    assert (changed.epochs, changed.lr, changed.tau) == (2, (0.5,), 1.0)
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
        ("default", {"average": 1.5}, "bad_setting"),
        ("default", {"lr": -0.1}, "bad_setting"),
        ("default", {"lr": None}, "bad_setting"),
        ("default", {"lr": []}, "bad_setting"),
        ("default", {"clean": [1, 2]}, "bad_setting"),
        ("published", {"lr": [0.1, 0.01]}, "lr_epochs"),
        ("default", {"lr_epochs": 1}, "bad_setting"),
        ("published", {"lr_epochs": [0, 5, 2]}, "bad_setting"),
    ],
)
def test_settings_that_cannot_be(preset: str, changes: dict, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        settings_for(preset, **changes)
    assert caught.value.code == code
    if code != "lr_epochs":
        assert all(name in caught.value.message for name in changes)


# the schedule
