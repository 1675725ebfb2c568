"""NAD: attention maps by hand, where they are taken, the teacher first and then the student."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.defenses.fine_tuning import FineTuning
from core.defenses.nad import NAD, WEIGHTS, attention, groups, settings_for, tapped
from core.models.classifier import Classifier
from core.models.preact_resnet import PreActResNet
from core.models.wrn import WideResNet
from tests.core.tiny import Tiny


def make(tiny: Tiny, **changes: float) -> NAD:
    return NAD(tiny.model, tiny.x, tiny.y, (), settings_for("default", **{"batch": 16, "least": 0} | changes))


def by_hand(activations: np.ndarray, power: float) -> np.ndarray:
    maps = (np.abs(activations.astype(np.float64)) ** power).sum(1).reshape(len(activations), -1)
    return maps / np.linalg.norm(maps, axis=1, keepdims=True)


@pytest.mark.parametrize("power", [1.0, 2.0, 4.0])
def test_an_attention_map_is_the_papers_sum_over_channels_at_length_1(power: float) -> None:
    activations = torch.randn(3, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    found = attention(activations, power)
    assert found.shape == (3, 24)
    np.testing.assert_allclose(found, by_hand(activations.numpy(), power), rtol=1e-4, atol=1e-6)


def test_a_network_that_is_dead_somewhere_has_a_map_all_the_same() -> None:
    assert (attention(torch.zeros(2, 3, 4, 4), 2.0) == 0).all()


def test_groups_of_a_wrn_are_the_three_of_the_paper() -> None:
    wrn = Classifier(WideResNet(10)).eval()
    assert groups(wrn, torch.zeros(1, 3, 32, 32)) == ["block1", "block2", "block3"]


def test_of_a_resnet_the_last_three_groups_count_and_a_single_pixel_is_none() -> None:
    resnet = Classifier(PreActResNet(10)).eval()
    found = groups(resnet, torch.zeros(1, 3, 32, 32))
    assert found == ["layer2", "layer3", "layer4"]
    flat = Classifier(nn.Sequential(nn.Conv2d(3, 4, 16), nn.Flatten(), nn.Linear(4, 10))).eval()
    assert groups(flat, torch.zeros(1, 3, 16, 16)) == []


def test_the_attention_loss_by_hand(tiny: Tiny) -> None:
    defence = make(tiny, shift=0, teacher_epochs=1)
    for _ in defence.teacher.steps():
        pass
    defence.model.eval()
    chosen = torch.arange(10)
    with torch.no_grad():
        found = defence.losses(chosen)
        x = defence.x[chosen].contiguous(memory_format=torch.channels_last)
        with tapped(tiny.model, defence.groups) as ours:
            tiny.model(x)
        with tapped(defence.teacher.model, defence.groups) as theirs:
            defence.teacher.model(x)
    maps = [(by_hand(ours[k].numpy(), 2), by_hand(theirs[k].numpy(), 2)) for k in defence.groups]
    expected = sum(weight * ((a - b) ** 2).mean() for weight, (a, b) in zip(WEIGHTS, maps, strict=True))
    assert expected > 0
    assert float(found["attention"]) == pytest.approx(expected, rel=1e-3)


def test_the_teacher_is_the_fine_tuned_victim_and_comes_first(tiny: Tiny) -> None:
    defence = make(tiny, teacher_epochs=2, epochs=1)
    steps = defence.steps()
    for _ in range(2 * 4):
        assert "attention" not in next(steps).losses
    with torch.no_grad():
        answers, before = (model(defence.x) for model in (defence.result(), tiny.model))
    torch.testing.assert_close(answers, before, rtol=1e-3, atol=1e-3, msg="the student waits")
    tuned = FineTuning(tiny.model, tiny.x, tiny.y, (), settings_for("default", batch=16, epochs=2, least=0))
    for _ in tuned.steps():
        pass
    theirs = defence.teacher.weights()
    assert all(torch.equal(value, theirs[name]) for name, value in tuned.weights().items())
    assert "attention" in next(steps).losses


def test_the_students_attention_comes_nearer_to_the_teachers(tiny: Tiny) -> None:
    defence = make(tiny, lr=0.01, epochs=20)
    steps = [step for step in defence.steps() if "attention" in step.losses]
    first, last = (np.mean([s.losses["attention"] for s in part]) for part in (steps[:4], steps[-4:]))
    assert last < 0.9 * first, "0.52 to 0.74 of it"
    assert tiny.figures(defence.result(best=True))[0] > 90


def test_the_student_has_the_rate_that_the_teacher_bore(tiny: Tiny) -> None:
    defence = make(tiny, lr=8.0, least_lr=0.05, clip=0, teacher_epochs=8, epochs=1)
    steps = list(defence.steps())
    first = next(step for step in steps if "attention" in step.losses)
    assert first.lr == 8.0 * defence.teacher.share < 8.0
    assert [step.step for step in steps] == list(range(1, defence.total + 1))
