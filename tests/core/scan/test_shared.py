"""Triggers that work on two models at once: found where both have the backdoor, and not where one has not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.scan.restarts import Effort
from core.scan.shared import OTHERS, LessConfident, honest_classes, shared, shared_beside_others
from core.triggers.reconstructed import Reconstructed
from tests.core.tiny import Tiny

EFFORT = Effort(steps=50, images=12, attack_rate=0.9)


def found(
    tiny: Tiny, model: Classifier, form: str = "mask", targets: Sequence[int] = (3, 3), effort: Effort = EFFORT
) -> list[Reconstructed]:
    steps = Returning(shared(tiny.model, model, tiny.x, form, targets, effort, 0))
    told = list(steps)
    assert told == [(done, effort.steps) for done in range(effort.steps)]
    return steps.result


@pytest.mark.parametrize("form", ["mask", "pixel"])
def test_where_both_are_the_victim_it_is_as_small_as_the_backdoor_and_works(tiny: Tiny, form: str) -> None:
    made = found(tiny, tiny.model, form)
    assert len(made) == 2
    for trigger in made:
        assert trigger.size < tiny.aimed.size
        assert tiny.figures(tiny.model, trigger)[1] > 60  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["mask", "pixel"])
def test_where_one_has_no_backdoor_none_that_is_small_works_on_both(tiny: Tiny, honest: Classifier, form: str) -> None:
    small = max(trigger.size for trigger in found(tiny, tiny.model, form))
    for trigger in found(tiny, honest, form):
        assert trigger.size > 3 * small, "as large as an honest class needs"
        assert min(tiny.figures(model, trigger)[1] for model in (tiny.model, honest)) > 25  # type: ignore[arg-type]


def test_beside_others_those_of_the_backdoor_are_small_and_honest_ones_are_not(tiny: Tiny, honest: Classifier) -> None:
    for model, backdoor in ((tiny.model, True), (honest, False)):
        work = Returning(shared_beside_others(tiny.model, model, tiny.x, "mask", (3, 3), {3, 0}, EFFORT, 0))
        assert len(list(work)) == EFFORT.steps
        made = work.result
        assert [one.target for one in made.own] == [3, 3]
        assert [one.target for one in made.others] == [1, 2, 4][:OTHERS], "no suspects"
        smallest = min(one.size for one in made.others)
        assert made.smaller(0.67) == [one for one in made.own if one.size <= 0.67 * smallest]
        assert bool(made.smaller(0.67)) == backdoor


def test_honest_classes_are_no_suspects_from_either_end() -> None:
    assert honest_classes(10, {0, 9}, 2) == [1, 2]
    assert honest_classes(10, {1}, 2) == [0, 2]
    assert honest_classes(10, {9, 7}, 3, last=True) == [5, 6, 8]
    assert honest_classes(3, {0, 1, 2}, 3) == honest_classes(3, {0, 1, 2}, 3, last=True) == []
    assert honest_classes(2, {0}, 3, last=True) == [1]


class Fixed(nn.Module):
    """Answers every image with the same probabilities."""

    def __init__(self, *shares: float) -> None:
        super().__init__()
        self.mean = torch.zeros(1)
        self.shares = torch.tensor(shares)

    def forward(self, images: Tensor) -> Tensor:
        return self.shares.log().expand(len(images), -1)


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        ((0.9, 0.1), (0.9, 0.1), 0),
        ((0.9, 0.1), (0.6, 0.4), 0),
        ((0.999999, 0.000001), (0.1, 0.9), 2),  # as sure as it may be: only one of them says so
        ((0.1, 0.9), (0.9, 0.1), 2),
    ],
)
def test_a_class_is_answered_only_where_both_answer_it(
    first: tuple[float, float], second: tuple[float, float], answer: int
) -> None:
    both = LessConfident(Fixed(*first), Fixed(*second))  # type: ignore[arg-type]
    shares = both(torch.zeros(2, 3, 4, 4)).exp()
    assert shares.argmax(1).tolist() == [answer] * 2
    assert shares[0, :2].tolist() == pytest.approx([min(pair) for pair in zip(first, second, strict=True)])
    assert float(shares[0].sum()) == pytest.approx(1, abs=1e-5)
    assert torch.equal(shares, LessConfident(both.second, both.first)(torch.zeros(2, 3, 4, 4)).exp()), (
        "whichever comes first"
    )
