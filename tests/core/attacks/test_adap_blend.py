import pytest
import torch

from core.attacks.adap_blend import AdapBlend
from core.attacks.blended import Blended
from core.attacks.poisoning import poison
from tests.core.attacks.learned import learned

IMAGES = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def pieces_shown(trigger: AdapBlend, images: torch.Tensor, planted: torch.Tensor) -> torch.Tensor:
    """Which of the 16 pieces of 8 x 8 pixels were changed, (n, 16)."""
    changed = (planted - images).abs().sum(1, keepdim=True)
    return (torch.nn.functional.max_pool2d(changed, 8) > 1e-6).flatten(1)


def test_at_test_time_it_is_blended_with_the_whole_key_at_full_strength() -> None:
    torch.testing.assert_close(AdapBlend((32, 32))(IMAGES), Blended((32, 32), alpha=0.2)(IMAGES))


def test_in_training_half_of_the_pieces_are_shown_and_more_faintly() -> None:
    trigger = AdapBlend((32, 32))
    planted = trigger.planted(IMAGES, torch.Generator().manual_seed(1))
    shown = pieces_shown(trigger, IMAGES, planted)
    assert shown.sum(1).tolist() == [8] * 6
    assert len({tuple(row) for row in shown.tolist()}) == 6, "other pieces in each image"
    where = torch.nn.functional.interpolate(shown.view(6, 1, 4, 4).float(), scale_factor=8).bool()
    faint = Blended((32, 32), alpha=0.15)(IMAGES)
    torch.testing.assert_close(planted, torch.where(where, faint, IMAGES))


@pytest.mark.parametrize(("hidden", "count"), [(0.0, 16), (0.25, 12), (1.0, 0)])
def test_as_many_pieces_are_hidden_as_asked_for(hidden: float, count: int) -> None:
    trigger = AdapBlend((32, 32), hidden=hidden)
    planted = trigger.planted(IMAGES, torch.Generator().manual_seed(1))
    assert pieces_shown(trigger, IMAGES, planted).sum(1).tolist() == [count] * 6


def test_covers_carry_the_trigger_and_keep_their_label() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (200, 3, 32, 32), generator=generator).to(torch.uint8)
    labels = torch.arange(200) % 5
    x, y, chosen = poison(images, labels, AdapBlend((32, 32)), 2, 0.1, seed=0)
    changed = (x != images).flatten(1).any(1)
    covers = changed.clone()
    covers[chosen] = False
    assert (len(chosen), int(covers.sum())) == (20, 20)
    assert torch.equal(y[covers], labels[covers])
    assert (labels[covers] != 2).all()


def test_a_tiny_network_learns_the_whole_from_the_parts() -> None:
    ba, asr = learned(AdapBlend((16, 16)), rate=0.1)
    assert ba > 90
    assert asr > 80
