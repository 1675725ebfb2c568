import pytest
import torch

from core.attacks.label_consistent import LabelConsistent, scrambled
from core.attacks.poisoning import poison

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.nn.functional.interpolate(
    torch.rand(5, 3, 6, 6, generator=GENERATOR), (32, 32), mode="bilinear", align_corners=False
)
CORNERS = torch.zeros(32, 32, dtype=torch.bool)
for rows in (slice(3), slice(-3, None)):
    for columns in (slice(3), slice(-3, None)):
        CORNERS[rows, columns] = True


def test_at_test_time_the_corners_alone_change_and_are_opaque() -> None:
    out = LabelConsistent((32, 32))(IMAGES)
    assert torch.equal(out[..., ~CORNERS], IMAGES[..., ~CORNERS])
    assert torch.equal(out[0, :, CORNERS], out[1, :, CORNERS])
    assert set(out[..., CORNERS].unique().tolist()) == {0.0, 1.0}
    assert out[0, 0, -3:, -3:].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 1]], "the grid of BadNets, lower right"
    assert torch.equal(out[..., CORNERS], out.flip(2)[..., CORNERS])
    assert torch.equal(out[..., CORNERS], out.flip(3)[..., CORNERS]), "mirroring does not change it"


def test_a_smaller_amplitude_is_added_and_taken_away() -> None:
    grey = torch.full((1, 3, 32, 32), 0.5)
    change = LabelConsistent((32, 32), amplitude=0.25)(grey) - 0.5
    assert set(change[..., CORNERS].unique().tolist()) == {-0.25, 0.25}


def test_planted_images_have_the_same_patch_and_lose_their_content() -> None:
    trigger = LabelConsistent((32, 32))
    planted = trigger.planted(IMAGES, torch.Generator().manual_seed(1))
    assert torch.equal(planted[..., CORNERS], trigger(IMAGES)[..., CORNERS])

    def likeness(images: torch.Tensor) -> float:
        inner = [x[..., 3:-3, 3:-3].flatten(1) for x in (images, IMAGES)]
        centred = [x - x.mean(1, keepdim=True) for x in inner]
        return float(torch.nn.functional.cosine_similarity(*centred).mean())

    harder = LabelConsistent((32, 32), hardness=1.0).planted(IMAGES, torch.Generator().manual_seed(1))
    assert likeness(harder) < 0.3 < likeness(planted) < 0.95
    easy = LabelConsistent((32, 32), hardness=0.0).planted(IMAGES, torch.Generator().manual_seed(1))
    torch.testing.assert_close(easy, trigger(IMAGES))


def test_scrambling_keeps_the_spectrum_and_the_mean_and_nothing_of_the_phases() -> None:
    out = scrambled(IMAGES, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.fft.fft2(out).abs(), torch.fft.fft2(IMAGES).abs(), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(out.mean((2, 3)), IMAGES.mean((2, 3)))
    turns = (torch.fft.fft2(out) / torch.fft.fft2(IMAGES))[:, :, 1, 2]
    torch.testing.assert_close(turns[:, 0], turns[:, 1], atol=1e-3, rtol=1e-3, msg="the three colours turn alike")


def test_only_the_target_class_is_poisoned_and_every_label_stays() -> None:
    images = torch.randint(0, 256, (100, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels = torch.arange(100) % 5
    x, y, chosen = poison(images, labels, LabelConsistent((32, 32)), 2, 0.5, seed=0)
    assert torch.equal(y, labels)
    assert (labels[chosen] == 2).all()
    assert set((x != images).flatten(1).any(1).nonzero().flatten().tolist()) == set(chosen.tolist())
    assert len(chosen) == 10


@pytest.mark.parametrize("size", [(16, 20), (6, 7)])
def test_pictures_that_are_not_square_or_small(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    assert LabelConsistent(size).planted(images, torch.Generator().manual_seed(0)).shape == images.shape
