from __future__ import annotations

from threading import get_ident

import pytest
import torch

from core.models.classifier import Classifier
from core.models.evaluate import answers, features_and_logits
from core.models.small import SmallNet


@pytest.fixture
def model() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classifier(SmallNet(4, width=4), (0.5,) * 3, (0.5,) * 3)


IMAGES = torch.randint(0, 256, (11, 3, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_batches_make_no_difference(model: Classifier) -> None:
    whole = features_and_logits(model, IMAGES)
    parts = features_and_logits(model, IMAGES, batch=3)
    assert whole[0].shape == (11, 16)
    assert whole[1].shape == (11, 4)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b)
    assert torch.equal(answers(model, IMAGES), whole[1].argmax(1))


@pytest.mark.parametrize(("side", "at_once"), [(32, [9]), (224, [8, 1]), (512, [2, 2, 2, 2, 1]), (1024, [1] * 9)])
def test_large_images_go_through_by_eight_and_very_large_ones_by_fewer(side: int, at_once: list[int]) -> None:
    seen: list[int] = []

    def watched(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x[..., ::16, ::16]

    small = Classifier(torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 4)))
    features_and_logits(small, torch.zeros(9, 3, side, side, dtype=torch.uint8), watched)
    assert sorted(seen, reverse=True) == at_once


def test_uint8_and_float_are_the_same(model: Classifier) -> None:
    torch.testing.assert_close(features_and_logits(model, IMAGES)[1], features_and_logits(model, IMAGES / 255)[1])


def test_the_transform_sees_images_in_0_to_1(model: Classifier) -> None:
    seen = []

    def invert(x: torch.Tensor) -> torch.Tensor:
        seen.append((x.min(), x.max()))
        return 1 - x

    inverted = features_and_logits(model, IMAGES, invert, batch=4)
    assert len(seen) == 3
    assert all(0 <= low < high <= 1 for low, high in seen)
    torch.testing.assert_close(inverted[1], features_and_logits(model, 255 - IMAGES)[1])


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_mode_inside_and_the_old_mode_afterwards(model: Classifier, training: bool) -> None:
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, again = features_and_logits(model, IMAGES), features_and_logits(model, IMAGES)
    assert torch.equal(first[1], again[1])
    assert model.training == training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not first[0].requires_grad


def test_threads_make_no_difference_and_are_put_back(model: Classifier) -> None:
    before = torch.get_num_threads()
    images = IMAGES.repeat(40, 1, 1, 1)
    try:
        torch.set_num_threads(1)
        alone = features_and_logits(model, images, batch=5)
        torch.set_num_threads(3)
        seen = set()

        def watched(x: torch.Tensor) -> torch.Tensor:
            seen.add((get_ident(), torch.get_num_threads()))
            return x

        shared = features_and_logits(model, images, watched, batch=5)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert get_ident() not in {thread for thread, _ in seen}
    assert {threads for _, threads in seen} == {1}
    for a, b in zip(alone, shared, strict=True):
        assert torch.equal(a, b), "each image's features and logits, in order"
