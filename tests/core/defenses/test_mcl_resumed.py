"""MCL repeated, stopped and taken up again: the same weights at the end; and the victim stays as it was."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from core.defenses.mcl import Purifier
from core.defenses.settings import settings_for
from core.defenses.training import PurifyStep
from core.models.classifier import Classifier
from tests.core.defenses.purifiers import make, same, weights
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


@pytest.mark.parametrize("preset", ["default", "published"])
@pytest.mark.parametrize("stop", [1, 3, 6, 11])
def test_a_resumed_run_ends_with_the_same_weights(tiny: Tiny, preset: str, stop: int) -> None:
    chosen = settings_for(preset, batch=16, epochs=4, mend=0, lr=[0.02], lr_epochs=[0])
    whole = make(tiny, chosen)
    expected = list(whole.steps())
    first = make(tiny, chosen)
    for step in first.steps():
        if step.step == stop:
            break
    tensors, numbers = first.state()
    second = make(tiny, chosen)
    second.restore(through_safetensors(tensors), numbers)
    rest = list(second.steps())
    assert [step.step for step in rest] == [step.step for step in expected[stop:]]
    assert rest == expected[stop:]
    assert same(weights(second.result()), weights(whole.result()))
    assert same(weights(second.result(best=True)), weights(whole.result(best=True)))


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


def test_resuming_while_mending_keeps_the_end(tiny: Tiny, purified: tuple[Purifier, list[PurifyStep]]) -> None:
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


@pytest.mark.parametrize("preset", ["default", "published"])
def test_momentum_finds_its_parameters_again_whatever_their_order(tiny: Tiny, preset: str) -> None:
    """Parameters without a gradient have no momentum, and must not shift that of the others."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        victim = Classifier(HeadFirst()).eval()
    chosen = settings_for(preset, epochs=3, mend=0, batch=32, holdout=0)

    def fresh() -> Purifier:
        return Purifier(deepcopy(victim), tiny.x, tiny.y, [tiny.aimed], chosen)

    whole, first, second = fresh(), fresh(), fresh()
    for _ in whole.steps():
        pass
    steps = first.steps()
    next(steps), next(steps)
    second.restore(*first.state())
    for _ in second.steps():
        pass
    assert same(weights(second.result()), weights(whole.result()))
