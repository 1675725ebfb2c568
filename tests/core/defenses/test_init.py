"""What holds for every defence: it can be watched, repeated, stopped and taken up again, and spares the victim."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache

import pytest
import torch
from torch import Tensor

from core import defenses
from core.defenses import DEFENCES, PRESETS, Defence
from core.errors import BadInput
from core.models.classifier import Classifier
from core.training.loop import PurifyStep
from tests.core.tiny import Tiny

Done = Callable[[str], tuple[list[PurifyStep], dict[str, Tensor]]]
EVERY = pytest.mark.parametrize("name", DEFENCES)
SHORT = {"epochs": 2, "batch": 16, "least": 0}
CHANGES = {"mcl": {"epochs": 2, "batch": 16, "anneal": 5, "rounds": 0}, "nad": {**SHORT, "teacher_epochs": 1}}


def make(tiny: Tiny, name: str, seed: int = 0) -> Defence:
    settings = defenses.settings_for(name, "default", **CHANGES.get(name, SHORT))
    return defenses.make(name, tiny.model, tiny.x, tiny.y, [tiny.aimed], settings, seed)


def whole(defence: Defence) -> Classifier:
    for _ in defence.steps():
        pass
    return defence.result(best=True)


@pytest.fixture(scope="module")
def done(tiny: Tiny) -> Done:
    """By the name of a defence: the steps of a whole run, and the weights it ends with."""

    @cache
    def run(name: str) -> tuple[list[PurifyStep], dict[str, Tensor]]:
        defence = make(tiny, name)
        return list(defence.steps()), weights(defence.result(best=True))

    return run


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


@pytest.mark.parametrize(("name", "setting"), [("anp", "clean"), ("anp", "clip"), ("ibau", "clip"), ("sau", "clip")])
def test_settings_of_the_common_training_that_a_defence_does_not_use_are_refused(name: str, setting: str) -> None:
    with pytest.raises(BadInput) as caught:
        defenses.settings_for(name, "default", **{setting: 0.5})
    assert caught.value.code == "unknown_setting"


@EVERY
def test_steps_count_up_to_their_total_and_the_seed_decides(tiny: Tiny, done: Done, name: str) -> None:
    steps, ended = done(name)
    defence = make(tiny, name)
    assert same(weights(whole(defence)), ended)
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].step == steps[-1].total == defence.done
    assert all(step.losses for step in steps)
    assert not same(weights(whole(make(tiny, name, seed=1))), ended)


@EVERY
def test_stopped_and_taken_up_again_it_ends_with_the_same_weights(tiny: Tiny, done: Done, name: str) -> None:
    from safetensors.torch import load, save

    first = make(tiny, name)
    kept = {step.step: first.state() for step in first.steps() if step.step in (1, 3, 6)}
    assert len(kept) == 3
    for stop, (tensors, numbers) in kept.items():  # what is kept did not change with what came after
        second = make(tiny, name)
        second.restore(load(save({key: value.contiguous() for key, value in tensors.items()})), dict(numbers))
        assert second.done == stop
        assert same(weights(whole(second)), done(name)[1])


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
