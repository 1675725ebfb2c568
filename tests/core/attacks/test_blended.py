import pytest
import torch

from core.attacks.blended import Blended

IMAGES = torch.rand(3, 3, 12, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0])
def test_it_is_the_papers_formula(alpha: float) -> None:
    trigger = Blended((12, 16), alpha=alpha)
    key = trigger.key()
    assert key.shape == (3, 12, 16)
    assert key.min() >= 0
    assert key.max() <= 1
    torch.testing.assert_close(trigger(IMAGES), (1 - alpha) * IMAGES + alpha * key)


def test_the_seed_makes_the_key() -> None:
    assert torch.equal(Blended((12, 16)).key(), Blended((12, 16)).key())
    assert not torch.equal(Blended((12, 16)).key(), Blended((12, 16), seed=8).key())


def test_making_a_key_leaves_the_common_random_numbers_alone() -> None:
    state = torch.get_rng_state()
    Blended((12, 16)).key()
    assert torch.equal(torch.get_rng_state(), state)
