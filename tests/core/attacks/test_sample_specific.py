import pytest
import torch

from core.attacks.sample_specific import SampleSpecific

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.nn.functional.interpolate(
    torch.rand(8, 3, 6, 6, generator=GENERATOR), (32, 32), mode="bilinear", align_corners=False
)


def likeness(parts: torch.Tensor) -> torch.Tensor:
    """Cosine between what two images get, for every pair."""
    flat = torch.nn.functional.normalize(parts.flatten(1), dim=1)
    return (flat @ flat.T)[~torch.eye(len(flat), dtype=torch.bool)]


def test_every_image_gets_another_addition_and_the_same_one_each_time() -> None:
    trigger = SampleSpecific((32, 32))
    residual = trigger.residual(IMAGES)
    assert likeness(residual).max() < 0.9
    assert torch.equal(residual, SampleSpecific((32, 32)).residual(IMAGES))
    again = trigger.residual(IMAGES[:1].expand(2, -1, -1, -1))
    torch.testing.assert_close(again[0], residual[0], atol=1e-5, rtol=0)


def test_what_is_common_is_laid_over_all_images() -> None:
    less, more = (likeness(SampleSpecific((32, 32), common=common).residual(IMAGES)).mean() for common in (0.0, 2.0))
    assert less < 0.3
    assert more > 0.8


@pytest.mark.parametrize("strength", [0.02, 0.04])
def test_it_is_as_faint_as_asked_for(strength: float) -> None:
    residual = SampleSpecific((32, 32), strength=strength).residual(IMAGES)
    assert residual.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([strength] * 8, rel=1e-4)
    assert residual.mean((1, 2, 3)).abs().max() < 1e-6, "the picture gets no brighter"


def test_it_is_added_and_clipped() -> None:
    trigger = SampleSpecific((32, 32))
    torch.testing.assert_close(trigger(IMAGES), (IMAGES + trigger.residual(IMAGES)).clamp(0, 1))


def test_the_seed_makes_network_and_message() -> None:
    a, b = (SampleSpecific((32, 32), seed=seed).residual(IMAGES) for seed in (7, 8))
    pairs = torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1))
    assert pairs.abs().max() < 0.5
