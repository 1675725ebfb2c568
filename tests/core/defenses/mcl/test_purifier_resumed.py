"""MCL repeated, stopped and taken up again: the same weights at the end; and the victim stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from core.defenses import mcl
from core.defenses.mcl.published import Published
from core.defenses.mcl.purifier import Purifier
from core.defenses.mcl.settings import MCLSettings, PublishedSettings
from core.models.classifier import Classifier
from core.training.loop import PurifyStep, Training
from core.triggers.reconstructed import Reconstructed
from tests.core.defenses.mcl.purifiers import EPOCHS, QUICK, make, published, same, weights
from tests.core.tiny import Tiny

# what stays as it was


def test_the_victim_does_not_change(tiny: Tiny) -> None:
    before = weights(tiny.model)
    for _ in make(tiny).steps():
        pass
    assert same(weights(tiny.model), before)
    assert not tiny.model.training


def test_a_result_is_a_copy_in_evaluation_mode(tiny: Tiny) -> None:
    purifier = make(tiny)
    steps = purifier.steps()
    next(steps)
    early = purifier.result()
    kept = weights(early)
    next(steps)
    assert same(weights(early), kept)
    assert not early.training
    assert early.net.state_dict().keys() == tiny.model.net.state_dict().keys()
    assert not purifier.model.training


# repeating and resuming


def test_the_same_seed_gives_the_same_model(tiny: Tiny) -> None:
    def run(seed: int) -> dict[str, Tensor]:
        purifier = make(tiny, seed=seed)
        for _ in purifier.steps():
            pass
        return weights(purifier.result(best=True))

    first = run(0)
    assert same(first, run(0))
    assert not same(first, run(1))


def through_safetensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    from safetensors.torch import load, save

    return load(save({name: value.clone().contiguous() for name, value in tensors.items()}))


def resumed(fresh: Callable[[], Training], *stops: int) -> None:
    """Stopped after so many steps and gone on with by another, it ends as the whole run."""
    whole, first = fresh(), fresh()
    expected = list(whole.steps())
    kept: dict[int, tuple[dict[str, Tensor], dict[str, float], int]] = {}
    for step in first.steps():
        if step.step in stops:
            tensors, numbers = first.state()
            kept[step.step] = through_safetensors(tensors), dict(numbers), first.total
        if step.step == max(stops):
            break
    assert set(kept) == set(stops)
    for stop, (tensors, numbers, total) in kept.items():
        second = fresh()
        second.restore(tensors, numbers)
        assert second.total == total
        assert list(second.steps()) == expected[stop:]
        assert same(weights(second.result()), weights(whole.result()))
        assert same(weights(second.result(best=True)), weights(whole.result(best=True)))


def test_published_resumes_to_the_same_end(tiny: Tiny) -> None:
    resumed(lambda: published(tiny), 1, 3, 6, 11)


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_resumed_run_ends_with_the_same_weights(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    """Also where it is stopped at the very step at which a look is taken, before the round or the annealing."""
    bright = Reconstructed("pixel", torch.full((3, 16, 16), 0.9), None, 7)
    monkeypatch.setattr("core.defenses.mcl.purifier.still_working", lambda *_: [bright, tiny.aimed])
    chosen = replace(QUICK, rounds=rounds, gone=100.0)
    resumed(lambda: make(tiny, chosen), 1, 5, 6, 10)


def test_a_state_is_a_snapshot(tiny: Tiny) -> None:
    first = make(tiny)
    steps = first.steps()
    next(steps), next(steps)
    tensors, numbers = first.state()
    kept = {name: value.clone() for name, value in tensors.items()}
    next(steps)
    second = make(tiny)
    second.restore(tensors, numbers)
    next(second.steps())
    assert same(tensors, kept)
    assert same(weights(second.model), weights(first.model))


def test_resuming_in_the_annealing_keeps_the_end(tiny: Tiny, purified: tuple[Purifier, list[PurifyStep]]) -> None:
    whole, steps = purified
    first = make(tiny, whole.settings)
    for step in first.steps():
        if step.total < steps[0].total:
            break
    tensors, numbers = first.state()
    second = make(tiny, whole.settings)
    second.restore(through_safetensors(tensors), numbers)
    assert second.total == whole.total
    assert list(second.steps()) == steps[first.done :]
    assert same(weights(second.result(best=True)), weights(whole.result(best=True)))


def test_a_finished_run_resumes_to_nothing(tiny: Tiny) -> None:
    whole = make(tiny)
    for _ in whole.steps():
        pass
    again = make(tiny)
    again.restore(*whole.state())
    assert list(again.steps()) == []
    assert same(weights(again.result(best=True)), weights(whole.result(best=True)))


class HeadFirst(nn.Module):
    """Registers a layer after the classification head, and another that is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Conv2d(3, 2, 1)
        self.fc = nn.Linear(4, 10)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3)))


@pytest.mark.parametrize("chosen", [replace(QUICK, holdout=0), EPOCHS])
def test_momentum_finds_its_parameters_again_whatever_their_order(
    tiny: Tiny, chosen: MCLSettings | PublishedSettings
) -> None:
    """Parameters without a gradient have no momentum, and must not shift that of the others."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        victim = Classifier(HeadFirst()).eval()

    def fresh() -> Published | Purifier:
        return mcl.make(deepcopy(victim), tiny.x, tiny.y, [tiny.aimed], chosen)

    resumed(fresh, 2)
