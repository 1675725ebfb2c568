"""What holds for every defence: it can be watched, repeated, stopped and taken up again, and spares the victim."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import is_dataclass

import pytest
import torch
from torch import Tensor

from core import defenses
from core.defenses import DEFENCES, PRESETS, Defence
from core.errors import BadInput
from core.models.classifier import Classifier
from tests.core.tiny import Tiny

EVERY = pytest.mark.parametrize("name", DEFENCES)
SHORT = {"epochs": 2, "batch": 16, "least": 0}
CHANGES = {"mcl": {"epochs": 2, "batch": 16, "anneal": 5}, "nad": {**SHORT, "teacher_epochs": 1}}


def make(tiny: Tiny, name: str, seed: int = 0) -> Defence:
    settings = defenses.settings_for(name, "default", **CHANGES.get(name, SHORT))
    return defenses.make(name, tiny.model, tiny.x, tiny.y, [tiny.aimed], settings, seed)


def whole(defence: Defence) -> Classifier:
    for _ in defence.steps():
        pass
    return defence.result(best=True)


def weights(model: Classifier) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.net.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


@EVERY
def test_every_preset_has_settings_with_a_guard(name: str) -> None:
    assert DEFENCES[name].presets[0] == "default"
    assert set(DEFENCES[name].presets) <= set(PRESETS)
    for preset in DEFENCES[name].presets:
        settings = defenses.settings_for(name, preset, "signs")
        assert is_dataclass(settings)
        assert settings.most_drop >= 0
    assert defenses.settings_for(name, "default", epochs=3).epochs == 3


@EVERY
@pytest.mark.parametrize(
    ("preset", "changes", "code"),
    [
        ("fast", {}, "unknown_preset"),
        ("default", {"speed": 1}, "unknown_setting"),
        ("default", {"batch": 0}, "bad_setting"),
    ],
)
def test_what_a_defence_cannot_have_is_said(name: str, preset: str, changes: dict, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        defenses.settings_for(name, preset, **changes)
    assert caught.value.code == code


@EVERY
def test_steps_count_up_to_their_total(tiny: Tiny, name: str) -> None:
    defence = make(tiny, name)
    steps = list(defence.steps())
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].step == steps[-1].total == defence.done
    assert all(step.losses for step in steps)


@EVERY
def test_the_same_seed_gives_the_same_model_and_another_seed_another(tiny: Tiny, name: str) -> None:
    first = weights(whole(make(tiny, name)))
    assert same(first, weights(whole(make(tiny, name))))
    assert not same(first, weights(whole(make(tiny, name, seed=1))))


@EVERY
@pytest.mark.parametrize("stop", [1, 3, 6])
def test_stopped_and_taken_up_again_it_ends_with_the_same_weights(tiny: Tiny, name: str, stop: int) -> None:
    from safetensors.torch import load, save

    uninterrupted = weights(whole(make(tiny, name)))
    first, second = make(tiny, name), make(tiny, name)
    steps = first.steps()
    for _ in range(stop):
        next(steps)
    tensors, numbers = first.state()
    for _ in steps:  # what is kept does not change with what comes after
        pass
    second.restore(load(save({key: value.contiguous() for key, value in tensors.items()})), dict(numbers))
    assert second.done == stop
    assert same(weights(whole(second)), uninterrupted)


@EVERY
def test_the_victim_stays_as_it_was_and_a_result_is_a_copy(tiny: Tiny, name: str) -> None:
    before = weights(tiny.model)
    defence = make(tiny, name)
    steps = defence.steps()
    next(steps)
    early = defence.result()
    kept = weights(early)
    for _ in steps:
        pass
    assert same(weights(early), kept)
    assert not early.training
    assert same(weights(tiny.model), before)
    assert early.net.state_dict().keys() == tiny.model.net.state_dict().keys()


@EVERY
def test_whether_it_needs_triggers_is_said_truly(tiny: Tiny, name: str) -> None:
    settings = defenses.settings_for(name, "default", **CHANGES.get(name, SHORT))

    def begin() -> None:
        next(defenses.make(name, tiny.model, tiny.x, tiny.y, [], settings).steps())

    if DEFENCES[name].needs_triggers:
        with pytest.raises((IndexError, ValueError)):
            begin()
    else:
        begin()


def test_naming_the_defences_loads_nothing_heavy() -> None:
    script = "import sys; import core.defenses; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
