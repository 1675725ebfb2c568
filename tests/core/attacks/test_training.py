from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from core.attacks.training import TrainSettings, shifted, train
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.small import SmallNet

QUICK = TrainSettings(epochs=4, batch=16, shift=1)


def made_up() -> tuple[Tensor, Tensor]:
    """Three kinds of pictures: red, green and blue noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(96) % 3
    images = torch.randint(0, 120, (96, 3, 8, 8), generator=generator)
    images[torch.arange(96), labels] += 120
    return images.to(torch.uint8), labels


def fresh() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classifier(SmallNet(3, width=4), (0.5,) * 3, (0.5,) * 3)


def test_a_tiny_net_learns_a_tiny_set() -> None:
    model, (images, labels) = fresh(), made_up()
    told = list(train(model, images, labels, QUICK, seed=0))
    assert (answers(model, images) == labels).double().mean() > 0.95
    assert told[-1].loss < 0.5 * told[0].loss
    assert told[-1].step == told[-1].total == 24
    assert [event.epoch for event in told] == sorted(event.epoch for event in told)
    assert told[-1].epoch == 3
    assert not model.training


@pytest.mark.parametrize("clip", [0.5, 2.0])
def test_no_batch_throws_the_weights_further_than_a_clipped_gradient_reaches(clip: float) -> None:
    """A last layer on inputs a thousand times too large: one step of Nesterov's kind is (1 + momentum) gradients."""
    images, labels = made_up()
    settings = TrainSettings(epochs=1, batch=96, lr=1e4, weight_decay=0, shift=0)

    def moved(clip: float) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), (0.5,) * 3, (0.001,) * 3)
        before = model.head[0].weight.detach().clone()
        for _ in train(model, images, labels, replace(settings, clip=clip), seed=0):
            pass
        return float((model.head[0].weight.detach() - before).norm())

    lr, momentum = 1e4 / 25 / 1e4, 0.95  # of a one-cycle schedule of one step
    farthest = lr * (1 + momentum) * clip
    assert moved(clip) == pytest.approx(farthest, rel=0.01)
    assert moved(0) > 100 * farthest


def test_the_same_seed_gives_the_same_weights() -> None:
    def weights(seed: int) -> Tensor:
        model = fresh()
        for _ in train(model, *made_up(), QUICK, seed):
            pass
        return torch.cat([value.flatten().float() for value in model.state_dict().values()])

    first = weights(0)
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))


def test_it_draws_nothing_from_the_common_random_numbers() -> None:
    state = torch.get_rng_state()
    model = fresh()
    for _ in train(model, *made_up(), TrainSettings(epochs=1, batch=32, flip=True), seed=0):
        pass
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("batch", [1, 96, 500])
def test_a_set_smaller_than_a_batch_is_one_step_an_epoch(batch: int) -> None:
    told = list(train(fresh(), *made_up(), TrainSettings(epochs=1, batch=batch), seed=0))
    assert told[-1].step == told[-1].total == max(1, 96 // batch)


def test_shifts_are_those_of_a_reflected_border_and_each_image_has_its_own() -> None:
    images = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    out = shifted(images, 2, False, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images, (2,) * 4, mode="reflect")
    places = set()
    for i in range(40):
        windows = {(r, c): padded[i, :, r : r + 8, c : c + 8] for r in range(5) for c in range(5)}
        found = [place for place, window in windows.items() if torch.equal(window, out[i])]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) > 10


def test_flips_mirror_about_half_and_no_shift_changes_nothing() -> None:
    images = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shifted(images, 0, False, torch.Generator()), images)
    out = shifted(images, 0, True, torch.Generator().manual_seed(0))
    mirrored = sum(torch.equal(out[i], images[i].flip(2)) for i in range(40))
    same = sum(torch.equal(out[i], images[i]) for i in range(40))
    assert mirrored + same == 40
    assert 8 < mirrored < 32
