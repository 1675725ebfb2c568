"""Neural Cleanse unlearning: which images carry which trigger, with which label, and what becomes of the attack."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.defenses.fine_tuning import FineTuning
from core.defenses.neural_cleanse import Unlearning, settings_for
from core.training.loop import Tuning, TuningSettings
from core.triggers.reconstructed import Reconstructed
from tests.core.tiny import Tiny


def make(tiny: Tiny, **changes: float) -> Unlearning:
    return Unlearning(tiny.model, tiny.x, tiny.y, [tiny.aimed], settings_for("default", **changes))


def test_a_fifth_of_a_batch_carries_the_trigger_with_its_right_label(tiny: Tiny) -> None:
    defence = make(tiny, shift=0)
    defence.model.eval()
    chosen = torch.arange(20)
    with torch.no_grad():
        found = float(defence.losses(chosen)["clean"])
        x = defence.x[chosen].clone()
        x[:4] = tiny.trigger(x[:4])
        expected = float(F.cross_entropy(tiny.model(x), tiny.y[chosen]))
        clean = float(F.cross_entropy(tiny.model(defence.x[chosen]), tiny.y[chosen]))
    assert found == pytest.approx(expected, rel=1e-4)
    assert found > clean + 0.5, "the victim takes the stamped ones for its target"


def test_without_any_stamped_image_it_is_plain_tuning(tiny: Tiny) -> None:
    class Plain(Tuning):
        losses = FineTuning.losses

    ours = make(tiny, share=0, lr=0.01, epochs=1, least=5)
    theirs = Plain(tiny.model, tiny.x, tiny.y, TuningSettings(lr=0.01, epochs=1, least=5))
    for defence in (ours, theirs):
        for _ in defence.steps():
            pass
    expected = theirs.weights()
    assert all(torch.equal(value, expected[name]) for name, value in ours.weights().items())


def test_a_trigger_under_a_mask_is_taken_before_others(tiny: Tiny) -> None:
    bright = Reconstructed("pixel", torch.full((3, 16, 16), 0.9), None, tiny.target)
    settings = settings_for("default")
    assert Unlearning(tiny.model, tiny.x, tiny.y, [bright, tiny.aimed], settings).trigger is not bright
    assert Unlearning(tiny.model, tiny.x, tiny.y, [bright], settings).trigger is bright
    other = replace(tiny.aimed, target=7)
    assert Unlearning(tiny.model, tiny.x, tiny.y, [bright, other], settings).trigger is bright, "of another class"


def test_the_attack_is_unlearnt_and_accuracy_holds(tiny: Tiny) -> None:
    ba_before, asr_before = tiny.figures(tiny.model)
    defence = make(tiny, epochs=10, batch=20)
    for _ in defence.steps():
        pass
    ba, asr = tiny.figures(defence.result(best=True))
    assert asr_before > 95
    assert asr < 15
    assert ba > ba_before - 5
