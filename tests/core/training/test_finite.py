"""A purification whose numbers leave the finite ones ends with a sentence, whatever the defence, and writes nothing."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from core import defenses
from core.defenses import DEFENCES
from core.errors import BadInput
from core.training.finite import finite, require_finite
from tests.core.defenses.test_init import CHANGES, SHORT
from tests.core.tiny import Tiny


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["weight", "running_var"])
def test_one_value_is_enough_and_running_statistics_count(bad: float, where: str) -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    assert finite(net)
    getattr(net[1], where).data[1] = bad
    assert not finite(net)


def test_what_is_said_names_the_step_and_a_tenth_of_the_rate() -> None:
    net = nn.Linear(2, 2)
    require_finite([1.0, 0.0], net, 7, 0.1)
    with pytest.raises(BadInput, match=r"step 7.*--set lr=0\.01\)") as caught:
        require_finite([1.0, float("nan")], net, 7, 0.1)
    assert caught.value.code == "training_diverged"
    assert caught.value.facts == {"step": 7, "lr": "0.01"}


@pytest.mark.parametrize("name", DEFENCES)
def test_no_defence_goes_on_with_a_loss_that_is_no_number(tiny: Tiny, name: str) -> None:
    """A network whose weights are numbers and whose answers are not."""
    victim = deepcopy(tiny.model)
    with torch.no_grad():
        victim.head[0].weight.fill_(3e38)
    settings = defenses.settings_for(name, "default", **CHANGES.get(name, SHORT))
    defence = defenses.make(name, victim, tiny.x, tiny.y, [tiny.aimed], settings)
    with pytest.raises(BadInput) as caught:
        for _ in defence.steps():
            pass
    assert caught.value.code == "training_diverged"


def test_weights_that_overflow_in_the_last_step_are_seen(tiny: Tiny) -> None:
    """Their loss was finite, and no other would be taken."""
    settings = defenses.settings_for("ft", "default", lr=1e38, least_lr=1e38, epochs=1, batch=100, least=0)
    defence = defenses.make("ft", tiny.model, tiny.x, tiny.y, (), settings)
    with pytest.raises(BadInput) as caught:
        list(defence.steps())
    assert caught.value.code == "training_diverged"
    assert caught.value.facts["step"] == 1
