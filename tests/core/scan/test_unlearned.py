"""What copies fall back on once they have unlearnt clean images: the target of a backdoored network."""

from __future__ import annotations

import pytest
import torch

from core.compute.returning import Returning, returned
from core.models.classifier import Classifier
from core.models.small import SmallNet
from core.scan.thresholds import FALLBACK_SHARE, MIN_UNLEARNING_IMAGES
from core.scan.unlearned import COPIES, MAX_STEPS, can_unlearn, dominant_class, fallback_shares
from tests.core.scan.quarters import quarters
from tests.core.tiny import Tiny


def shares_of(tiny: Tiny, model: Classifier | None = None, seed: int = 0) -> torch.Tensor:
    unlearning = Returning(fallback_shares(model or tiny.model, tiny.x, tiny.y, seed))
    told = list(unlearning)
    assert told == sorted(told)
    assert told[-1][0] == MAX_STEPS * COPIES
    assert {total for _, total in told} == {MAX_STEPS * COPIES}
    return unlearning.result


@pytest.fixture(scope="module")
def shares(tiny: Tiny) -> torch.Tensor:
    """Of the victim; not to be changed."""
    return shares_of(tiny)


def test_a_backdoored_network_falls_back_on_its_target_and_its_honest_twin_does_not(
    tiny: Tiny, honest: Classifier, shares: torch.Tensor
) -> None:
    others = shares_of(tiny, honest)
    assert int(shares.argmax()) == tiny.target
    assert shares[tiny.target] > 2 * others[tiny.target]
    assert dominant_class(others) is None
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)


def test_the_network_stays_as_it_was_and_the_same_seed_gives_the_same(tiny: Tiny, shares: torch.Tensor) -> None:
    weights = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    assert torch.equal(shares_of(tiny), shares)
    assert all(torch.equal(value, weights[name]) for name, value in tiny.model.state_dict().items())
    assert not tiny.model.training


@pytest.mark.parametrize(
    ("weight", "told"),
    [
        (0.02, True),
        (1e6, False),  # so sure of itself that its gradient is 0: it does not unlearn
        (3e38, False),  # so sure that its loss is no number
    ],
)
def test_copies_that_unlearn_too_little_or_diverge_say_nothing(weight: float, told: bool) -> None:
    shares = returned(fallback_shares(*quarters(weight)))
    assert float(shares.sum()) == pytest.approx(1 if told else 0)
    if not told:
        assert dominant_class(shares) is None


def test_few_classes_or_images_are_not_can_unlearn(tiny: Tiny) -> None:
    many = torch.zeros(MIN_UNLEARNING_IMAGES, 3, 16, 16, dtype=torch.uint8)
    assert can_unlearn(tiny.model, many)
    assert not can_unlearn(tiny.model, many[1:])
    assert not can_unlearn(Classifier(SmallNet(3, width=8)), many)


def test_a_class_is_named_only_where_most_wrong_answers_name_it() -> None:
    assert dominant_class(torch.tensor([0.1, FALLBACK_SHARE + 0.01, 0.2])) == 1
    assert dominant_class(torch.tensor([0.1, FALLBACK_SHARE - 0.01, 0.2])) is None
