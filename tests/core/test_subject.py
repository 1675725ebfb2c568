from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.data import load
from core.data.imageset import ImageSet
from core.errors import BadInput
from core.metrics import benign_accuracy
from core.models import ARCHITECTURES
from core.models.evaluate import answers
from core.models.weights import read_weights, save_weights
from core.runs.spec import NORMALIZATIONS, Spec
from core.subject import best_normalization, load_subject
from core.victims import card_of

VICTIM = card_of("digits-badnets")


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits")


@pytest.fixture
def three() -> ImageSet:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 3, 16, 16), np.uint8))
    return ImageSet("three", x, torch.arange(30) % 3, x, torch.arange(30) % 3, ("a", "b", "c"))


def strange(**changes: Any) -> Spec:
    return Spec(**{"weights": str(VICTIM.weights), "images": "digits"} | changes)


def test_a_victim_comes_with_card_and_trigger(digits: ImageSet) -> None:
    subject = load_subject(Spec(victim=VICTIM.name, images="digits"), digits)
    assert subject.card == VICTIM
    assert subject.trigger is not None
    assert subject.trigger(torch.zeros(1, 3, 16, 16))[0, 0, 15, 15] == 1
    assert subject.arch == "small"
    assert not subject.model.training
    assert benign_accuracy(answers(subject.model, digits.x_test), digits.y_test) == pytest.approx(VICTIM.ba, abs=0.5)


def test_of_a_strangers_model_the_network_is_found_and_the_attack_unknown(digits: ImageSet) -> None:
    subject = load_subject(strange(), digits)
    assert subject.arch == "small"
    assert subject.card is None
    assert subject.trigger is None
    assert subject.normalize in NORMALIZATIONS


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_scaling_that_is_given_is_used(digits: ImageSet, name: str) -> None:
    subject = load_subject(strange(normalize=name, arch="small"), digits)
    assert subject.normalize == name
    assert subject.model.mean.flatten().tolist() == pytest.approx(NORMALIZATIONS[name][0])
    assert subject.model.std.flatten().tolist() == pytest.approx(NORMALIZATIONS[name][1])


class Bright(nn.Module):
    """Calls a picture bright if its scaled values are above 0 on the whole: what that means, the scaling says."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(3, num_classes, bias=False)
        nn.init.ones_(self.fc.weight)
        with torch.no_grad():
            self.fc.weight[0] = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "dark", "bright"), [("half", 120, 135), ("cifar10", 118, 125), ("imagenet", 112, 119)]
)
def test_the_scaling_under_which_the_model_answers_rightly_is_found(
    name: str, dark: int, bright: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ARCHITECTURES, "bright", Bright)
    pixels = torch.cat([torch.full((40, 3, 8, 8), value) for value in (dark, bright)]).to(torch.uint8)
    labels = torch.arange(80) // 40
    images = ImageSet("bright", pixels, labels, pixels, labels, ("dark", "bright"))
    save_weights(tmp_path / "a", dict(Bright(2).state_dict()))
    assert best_normalization(read_weights(tmp_path / "a"), "bright", images) == name
    assert load_subject(Spec(weights=str(tmp_path / "a"), images="bright"), images).normalize == name


def test_images_of_other_classes_do_not_go_with_the_model(three: ImageSet) -> None:
    for spec in (Spec(victim=VICTIM.name, images="three"), strange()):
        with pytest.raises(BadInput, match="10 classes and the images three have 3") as caught:
            load_subject(spec, three)
        assert caught.value.code == "classes_differ"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"weights": "gone.pth"}, "weights_not_found"),
        ({"arch": "wrn16-1"}, "weights_do_not_fit"),
        ({"arch": "huge"}, "unknown_architecture"),
    ],
)
def test_what_cannot_be_loaded_is_told(digits: ImageSet, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_subject(strange(**changes), digits)
    assert caught.value.code == code
