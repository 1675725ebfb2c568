from __future__ import annotations

import pytest
import torch

from core.attacks import ATTACKS, make_trigger
from core.attacks.badnets import BadNets
from core.errors import BadInput

IMAGES = torch.rand(5, 3, 16, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ATTACKS)
def test_every_trigger_keeps_shape_and_range_and_repeats(name: str) -> None:
    trigger, before = make_trigger(name, (16, 20)), IMAGES.clone()
    once = trigger(IMAGES)
    assert once.shape == IMAGES.shape
    assert once.dtype == torch.float32
    assert once.min() >= 0
    assert once.max() <= 1 + 1e-6
    assert torch.equal(once, make_trigger(name, (16, 20))(IMAGES))
    assert torch.equal(IMAGES, before), "the images given are left alone"
    assert (once != IMAGES).flatten(1).any(1).all()
    assert torch.equal(trigger(IMAGES[2:3]), once[2:3]), "an image does not depend on its neighbours"


@pytest.mark.parametrize("name", ATTACKS)
def test_extreme_images_stay_in_range(name: str) -> None:
    for value in (0.0, 1.0):
        out = make_trigger(name, (16, 20))(torch.full((1, 3, 16, 20), value))
        assert out.min() >= 0
        assert out.max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("name", "settings", "code"),
    [
        ("magic", {}, "unknown_attack"),
        ("badnets", {"colour": 3}, "attack_setting"),
        ("badnets", {"look": "stripes"}, "attack_setting"),
        ("badnets", {"side": 17}, "patch_outside"),
        ("badnets", {"side": 0}, "patch_outside"),
        ("badnets", {"right": 15}, "patch_outside"),
        ("badnets", {"right": -3}, "patch_outside"),
        ("badnets", {"bottom": -1}, "patch_outside"),
        ("badnets", {"side": "big"}, "attack_setting"),
        ("blended", {"alpha": 1.5}, "attack_setting"),
        ("blended", {"alpha": "much"}, "attack_setting"),
        ("blended", {"cells": 0}, "attack_setting"),
        ("sig", {"strength": -1}, "attack_setting"),
        ("wanet", {"cells": 0}, "attack_setting"),
        ("wanet", {"noise_rate": -1}, "attack_setting"),
    ],
)
def test_settings_that_cannot_be(name: str, settings: dict, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        make_trigger(name, (16, 20), **settings)
    assert caught.value.code == code


def test_the_grid_is_that_of_the_paper() -> None:
    """255 at the four pixels the authors name, 0 at the other five, counted from the lower right corner."""
    out = BadNets((32, 32), look="grid")(torch.full((1, 3, 32, 32), 0.5))[0]
    white = {(31, 31), (31, 29), (30, 30), (29, 31)}
    for row in range(29, 32):
        for column in range(29, 32):
            assert out[:, row, column].tolist() == [float((row, column) in white)] * 3
    assert int((out != 0.5).any(0).sum()) == 9


def test_the_patch_lies_where_it_is_put_and_nothing_else_changes() -> None:
    out = BadNets((16, 20), side=5, right=2, bottom=3)(IMAGES)
    changed = (out != IMAGES).any(0).any(0)
    rows, columns = changed.nonzero().unbind(1)
    assert (int(rows.min()), int(rows.max())) == (8, 12)
    assert (int(columns.min()), int(columns.max())) == (13, 17)
    assert torch.equal(out[0, :, 8:13, 13:18], out[1, :, 8:13, 13:18]), "opaque"


def test_mask_and_pattern_are_the_same_trigger() -> None:
    for look in ("sticker", "grid"):
        trigger = BadNets((16, 20), look=look)  # type: ignore[arg-type]
        mask, pattern = trigger.mask_and_pattern()
        assert torch.equal((1 - mask) * IMAGES + mask * pattern, trigger(IMAGES))
