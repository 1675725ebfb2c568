from __future__ import annotations

import pytest
import torch

from core.attacks import ATTACKS, IN_SETS, TRAINED_BY_ATTACKER, make_trigger
from core.attacks.trigger import Trigger
from core.errors import BadInput
from core.registry import loaded

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
    alone = trigger(IMAGES[2:3])
    torch.testing.assert_close(alone, once[2:3], atol=1e-5, rtol=0, msg="an image does not depend on its neighbours")


@pytest.mark.parametrize("name", ATTACKS)
def test_planted_and_cover_images_keep_shape_and_range_and_repeat_with_their_generator(name: str) -> None:
    trigger, before = make_trigger(name, (16, 20)), IMAGES.clone()
    for make in (trigger.planted, trigger.covers):
        once = make(IMAGES, torch.Generator().manual_seed(3))
        assert once.shape == IMAGES.shape
        assert once.min() >= 0
        assert once.max() <= 1 + 1e-6
        assert torch.equal(once, make(IMAGES, torch.Generator().manual_seed(3)))
        assert torch.equal(IMAGES, before), "the images given are left alone"
        assert len(make(IMAGES[:1], torch.Generator().manual_seed(3))) == 1


@pytest.mark.parametrize("name", ATTACKS)
def test_no_trigger_draws_from_the_common_random_numbers(name: str) -> None:
    state = torch.get_rng_state()
    trigger = make_trigger(name, (16, 20))
    trigger(IMAGES)
    trigger.planted(IMAGES, torch.Generator().manual_seed(0))
    trigger.covers(IMAGES, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ["badnets", "blended", "sig", "lf", "input-aware", "sample-specific"])
def test_what_is_planted_is_the_trigger_itself(name: str) -> None:
    trigger = make_trigger(name, (16, 20))
    assert torch.equal(trigger.planted(IMAGES, torch.Generator()), trigger(IMAGES))


def test_which_attacks_leave_every_label_true_and_which_have_covers() -> None:
    triggers = {name: make_trigger(name, (16, 20)) for name in ATTACKS}
    assert {name for name in ATTACKS if triggers[name].clean_label} == {"sig", "label-consistent"}
    rates = {name: triggers[name].cover_rate for name in ATTACKS if triggers[name].cover_rate}
    assert rates == {"wanet": 2.0, "input-aware": 1.0, "adap-blend": 1.0, "adap-patch": 2.0, "indivisible": 1.0}


def test_which_attacks_train_the_victim_themselves() -> None:
    own = [name for name, place in ATTACKS.items() if loaded(place).train is not Trigger.train]
    assert own == list(TRAINED_BY_ATTACKER)
    assert [name for name in ATTACKS if name not in own] == list(IN_SETS)


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
        ("label-consistent", {"amplitude": 2}, "attack_setting"),
        ("label-consistent", {"hardness": -0.1}, "attack_setting"),
        ("input-aware", {"cover_rate": -1}, "attack_setting"),
        ("lf", {"strength": 1.5}, "attack_setting"),
        ("lf", {"sigma": "wide"}, "attack_setting"),
        ("sample-specific", {"strength": -1}, "attack_setting"),
        ("sample-specific", {"common": -1}, "attack_setting"),
        ("adap-blend", {"hidden": 1.1}, "attack_setting"),
        ("adap-blend", {"pieces": 0}, "attack_setting"),
        ("adap-blend", {"cover_rate": -1}, "attack_setting"),
        ("adap-patch", {"side": 9}, "attack_setting"),
        ("adap-patch", {"side": 2.5}, "attack_setting"),
        ("adversarial-embedding", {"weight": -1}, "attack_setting"),
        ("adversarial-embedding", {"pairs": 0}, "attack_setting"),
        ("adversarial-embedding", {"side": 17}, "patch_outside"),
        ("indivisible", {"hidden": 1.1}, "attack_setting"),
        ("indivisible", {"tile": 0}, "attack_setting"),
        ("two-targets", {"apart": 0}, "attack_setting"),
        ("two-targets", {"second": "magic"}, "unknown_attack"),
        ("two-targets", {"second": "sig"}, "attack_setting"),
        ("deferred", {"asleep": 0}, "attack_setting"),
        ("deferred", {"rate": 0}, "attack_setting"),
    ],
)
def test_settings_that_cannot_be(name: str, settings: dict, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        make_trigger(name, (16, 20), **settings)
    assert caught.value.code == code
