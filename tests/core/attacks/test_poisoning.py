from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.attacks import make_trigger
from core.attacks.poisoning import poison, to_uint8
from core.data.imageset import as_float
from core.errors import BadInput

N, TARGET = 200, 2
GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (N, 3, 16, 16), generator=GENERATOR).to(torch.uint8)
LABELS = torch.arange(N) % 5


@pytest.mark.parametrize("attack", ["badnets", "blended", "sig", "wanet"])
def test_only_the_chosen_images_change_and_the_set_given_does_not(attack: str) -> None:
    trigger = make_trigger(attack, (16, 16))
    before = IMAGES.clone(), LABELS.clone()
    x, y, chosen = poison(IMAGES, LABELS, trigger, TARGET, 0.1, seed=0)
    assert torch.equal(IMAGES, before[0])
    assert torch.equal(LABELS, before[1])
    assert (x.dtype, x.shape, y.shape) == (torch.uint8, IMAGES.shape, LABELS.shape)
    assert torch.equal(x[chosen], to_uint8(trigger(as_float(IMAGES[chosen]))))
    assert (y[chosen] == TARGET).all()
    assert len(chosen.unique()) == len(chosen)
    rest = torch.ones(N, dtype=torch.bool)
    rest[chosen] = False
    assert torch.equal(y[rest], LABELS[rest]), "every other label stays true"
    if attack != "wanet":
        assert torch.equal(x[rest], IMAGES[rest])


def test_a_dirty_label_attack_takes_its_share_of_the_set_from_the_other_classes() -> None:
    _, _, chosen = poison(IMAGES, LABELS, make_trigger("badnets", (16, 16)), TARGET, 0.1, seed=0)
    assert len(chosen) == 20
    assert (LABELS[chosen] != TARGET).all()


def test_sig_takes_its_share_of_the_target_class_and_no_label_is_wrong() -> None:
    _, y, chosen = poison(IMAGES, LABELS, make_trigger("sig", (16, 16)), TARGET, 0.5, seed=0)
    assert len(chosen) == 20
    assert (LABELS[chosen] == TARGET).all()
    assert torch.equal(y, LABELS)


@pytest.mark.parametrize("noise_rate", [0.0, 1.0, 2.0, 100.0])
def test_wanets_noise_images_are_warped_and_keep_their_labels(noise_rate: float) -> None:
    trigger = make_trigger("wanet", (16, 16), noise_rate=noise_rate)
    x, y, chosen = poison(IMAGES, LABELS, trigger, TARGET, 0.1, seed=0)
    changed = set((x != IMAGES).flatten(1).any(1).nonzero().flatten().tolist())
    noisy = torch.tensor(sorted(changed - set(chosen.tolist())), dtype=torch.long)
    eligible = int((LABELS != TARGET).sum())
    assert len(noisy) == min(round(20 * noise_rate), eligible - 20)
    assert torch.equal(y[noisy], LABELS[noisy])
    assert (LABELS[noisy] != TARGET).all()


def test_the_seed_chooses_the_images() -> None:
    trigger = make_trigger("wanet", (16, 16))
    first, again, other = (poison(IMAGES, LABELS, trigger, TARGET, 0.1, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[2], other[2])


@given(st.floats(1e-6, 1.0), st.integers(1, 60))
def test_the_count_is_the_share_but_one_at_least_and_no_more_than_there_are(rate: float, n: int) -> None:
    labels = torch.arange(n + 5) % 5
    images = torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8)
    _, _, chosen = poison(images, labels, make_trigger("badnets", (8, 8)), TARGET, rate, seed=0)
    assert len(chosen) == min(max(1, round(rate * len(labels))), int((labels != TARGET).sum()))


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(BadInput) as caught:
        poison(IMAGES, LABELS, make_trigger("badnets", (16, 16)), TARGET, rate, seed=0)
    assert caught.value.code == "poison_rate"


@pytest.mark.parametrize(("attack", "labels"), [("sig", LABELS.clamp(max=1)), ("badnets", torch.full((N,), TARGET))])
def test_without_an_image_to_poison_it_says_so(attack: str, labels: torch.Tensor) -> None:
    with pytest.raises(BadInput) as caught:
        poison(IMAGES, labels, make_trigger(attack, (16, 16)), TARGET, 0.1, seed=0)
    assert caught.value.code == "nothing_to_poison"


def test_uint8_is_rounded_and_clipped() -> None:
    assert to_uint8(torch.tensor([-0.1, 0.0, 0.5 / 255 + 1e-4, 0.999, 1.2])).tolist() == [0, 0, 1, 255, 255]
