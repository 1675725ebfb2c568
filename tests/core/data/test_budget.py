import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.budget import clean_budget, quotas
from core.errors import BadInput

sizes = st.lists(st.integers(1, 60), min_size=2, max_size=12)


def labels(counts):
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(5))]


@settings(max_examples=80, deadline=None)
@given(counts=sizes, data=st.data(), seed=st.integers(0, 2**31))
def test_a_count_is_met_without_repeats_and_with_every_class(counts, data, seed):
    y = labels(counts)
    total = data.draw(st.integers(len(counts), len(y)))
    chosen = clean_budget(y, total, len(counts), seed)
    assert chosen.dtype == torch.int64
    assert len(chosen) == total
    assert (chosen.diff() > 0).all()
    got = torch.bincount(y[chosen], minlength=len(counts))
    assert got.min() >= 1
    assert torch.equal(chosen, clean_budget(y, total, len(counts), seed))


@settings(max_examples=80, deadline=None)
@given(counts=sizes, data=st.data())
def test_classes_keep_their_share(counts, data):
    total = data.draw(st.integers(len(counts), sum(counts)))
    taken = quotas(counts, total)
    assert sum(taken) == total
    assert all(1 <= k <= size for k, size in zip(taken, counts, strict=True))
    ideal = [size * total / sum(counts) for size in counts]
    if min(ideal) >= 1:
        assert all(abs(k - share) < 1 for k, share in zip(taken, ideal, strict=True))


def test_a_share_is_rounded_to_the_nearest_image():
    y = labels([100] * 12)
    assert len(clean_budget(y, 0.05, 12, 0)) == 60
    assert torch.bincount(y[clean_budget(y, 0.05, 12, 0)]).tolist() == [5] * 12
    assert len(clean_budget(y, np.float64(0.05), 12, 0)) == len(clean_budget(y, np.int64(60), 12, 0)) == 60


def test_seeds_differ():
    y = labels([100] * 3)
    assert not torch.equal(clean_budget(y, 30, 3, 0), clean_budget(y, 30, 3, 1))


@pytest.mark.parametrize("given_", [0, -3, 301, 0.0, 1.0, 1.5, -0.1, float("nan"), float("inf"), True, "5 %"])
def test_out_of_range(given_):
    with pytest.raises(BadInput, match="share between 0 and 1") as caught:
        clean_budget(labels([100] * 3), given_, 3, 0)
    assert caught.value.code == "budget_out_of_range"
    assert caught.value.facts["available"] == 300


@pytest.mark.parametrize("given_", [2, 0.005, 0.0001])
def test_fewer_images_than_classes(given_):
    with pytest.raises(BadInput, match="3 classes") as caught:
        clean_budget(labels([100] * 3), given_, 3, 0)
    assert caught.value.code == "budget_too_small"
    assert caught.value.facts["classes"] == 3


def test_an_empty_class_is_named():
    with pytest.raises(BadInput, match="3") as caught:
        clean_budget(labels([10] * 3), 6, 4, 0)
    assert caught.value.code == "class_without_images"
