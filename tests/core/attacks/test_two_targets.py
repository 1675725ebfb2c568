from __future__ import annotations

import pytest
import torch

from core.attacks.badnets import BadNets
from core.attacks.blended import Blended
from core.attacks.poisoning import poison, to_uint8
from core.attacks.two_targets import TwoTargets
from core.data.imageset import as_float
from tests.core.attacks.learned import TARGET, figures, victim

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (100, 3, 16, 16), generator=GENERATOR).to(torch.uint8)
LABELS = torch.arange(100) % 5


def test_the_first_trigger_is_the_one_that_is_put_into_images() -> None:
    images = as_float(IMAGES)
    assert torch.equal(TwoTargets((16, 16))(images), BadNets((16, 16))(images))
    assert TwoTargets((16, 16), first="wanet").cover_rate == 2.0


@pytest.mark.parametrize(("apart", "second"), [(1, 3), (3, 0), (4, 1), (5, 3)])
def test_the_second_target_is_another_class(apart: int, second: int) -> None:
    assert TwoTargets((16, 16), apart=apart).second_target(2, 5) == second


def test_the_second_trigger_is_planted_in_as_many_other_images() -> None:
    trigger = TwoTargets((16, 16))
    data = poison(IMAGES, LABELS, trigger, 2, 0.1, seed=0)
    both = trigger.with_second(data, 2, 5, seed=0)
    first, second = both.chosen.tolist()[:10], both.chosen.tolist()[10:]
    assert first == data.chosen.tolist()
    assert len(set(first) | set(second)) == 20
    assert (both.labels[first] == 2).all()
    assert (both.labels[second] == 3).all()
    assert (LABELS[second] != 3).all()
    assert torch.equal(both.images[second], to_uint8(Blended((16, 16))(as_float(IMAGES[second]))))
    rest = [i for i in range(100) if i not in first + second]
    assert torch.equal(both.images[rest], IMAGES[rest])
    assert torch.equal(both.labels[rest], LABELS[rest])


def test_a_tiny_network_learns_both() -> None:
    trigger = TwoTargets((16, 16))
    model = victim(trigger, rate=0.1)
    ba, asr = figures(model, trigger)
    assert ba > 90
    assert asr > 80
    assert figures(model, Blended((16, 16)), trigger.second_target(TARGET, 10))[1] > 80
