import numpy as np
import pytest
import torch
from torch import tensor

from core.errors import BadInput
from core.featuremap.dissolution import NEIGHBOURS, dissolution
from core.featuremap.neighbours import neighbours_of
from tests.core.featuremap.scenes import scene


def measured(features, label, triggered, **settings):
    return dissolution(torch.from_numpy(features), torch.from_numpy(label), torch.from_numpy(triggered), **settings)


@pytest.mark.parametrize("triggered", [[False, False, False], [False, True, True]])
def test_dissolution_needs_triggered_samples_with_a_clean_class(triggered):
    with pytest.raises(BadInput) as caught:
        dissolution(torch.rand(3, 4), tensor([0, 1, 2]), tensor(triggered))
    assert caught.value.code == "no_triggered_samples"


def test_apart_is_0_although_the_classes_are_in_order_inside_the_cluster():
    _, apart, label, triggered = scene()
    assert measured(apart, label, triggered) == 0


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_at_home_is_100_also_when_the_classes_overlap(noise):
    home, _, label, triggered = scene()
    random = np.random.default_rng(1)
    assert measured((home + noise * random.normal(size=home.shape)).astype(np.float32), label, triggered) > 92


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_is_the_share_of_samples_that_are_back(share):
    home, apart, label, triggered = scene()
    back = np.flatnonzero(triggered)[: round(share * triggered.sum())]
    apart[back] = home[back]
    assert measured(apart, label, triggered) == pytest.approx(100 * share, abs=6)


def test_rises_as_the_cluster_mixes():
    home, apart, label, triggered = scene()
    values = [measured(apart + np.float32(step / 10) * (home - apart), label, triggered) for step in range(11)]
    assert np.all(np.diff(values) >= -1)
    assert values[0] == 0
    assert values[-1] > 92


def test_back_in_the_wrong_class_is_no_cure():
    home, _, label, triggered = scene()
    wrong = home.copy()
    for c in range(1, 10):
        donors = home[~triggered & (label == (c + 1) % 10)]
        here = np.flatnonzero(triggered & (label == c))
        wrong[here] = donors[: len(here)] + 0.1
    assert measured(wrong, label, triggered) < 2


def test_one_clump_on_top_of_the_clean_samples_is_not_back():
    home, _, label, triggered = scene()
    home[triggered] = home[0] + 0.01 * home[triggered]
    assert measured(home, label, triggered) < 5


def test_a_small_cluster_apart_is_0_too():
    _, apart, label, triggered = scene(clean=200, triggered=5)
    assert measured(apart, label, triggered) == 0


def test_order_scale_and_shift_do_not_matter():
    home, apart, label, triggered = scene()
    features = 0.15 * apart + 0.85 * home
    order = np.random.default_rng(0).permutation(len(features))
    value = measured(features, label, triggered)
    assert 0 < value < 100
    assert measured(features[order], label[order], triggered[order]) == pytest.approx(value)
    assert measured(features * 10 + 3, label, triggered) == pytest.approx(value, abs=0.5)


def test_twins_do_not_count_as_neighbours():
    home, _, label, triggered = scene(clean=300, triggered=100)
    twins = np.full(len(home), -1)
    for position in np.flatnonzero(triggered):
        twins[position] = np.flatnonzero(~triggered & (label == label[position]))[position % 9]
    home[triggered] = home[twins[triggered]] + 30  # apart; every twin is the nearest clean sample
    home[triggered] -= 29.99  # and now each lies on its twin
    assert measured(home, label, triggered, twins=torch.from_numpy(twins)) < measured(home, label, triggered)


def test_a_pair_is_left_out_both_ways_and_the_next_neighbour_counts_instead():
    # on a line: two clean of class 0, the twin of the second, two of class 1
    features = tensor([[0.0], [1.0], [1.1], [5.0], [6.0]])
    labels, triggered = tensor([0, 0, 0, 1, 1]), tensor([False, False, True, False, False])
    twins = tensor([-1, -1, 1, -1, -1])
    # the triggered one's nearest but its twin is the other clean of class 0, whose nearest is the twin
    assert dissolution(features, labels, triggered, k=1, twins=twins) == 100
    far = tensor([[-90.0], [1.0], [1.1], [5.0], [6.0]])
    assert dissolution(far, labels, triggered, k=1, twins=twins) == 0


def test_neighbours_that_are_known_give_the_same_figure():
    home, apart, label, triggered = scene(clean=300, triggered=100)
    features = 0.3 * apart + 0.7 * home
    twins = np.full(len(home), -1)
    twins[triggered] = np.flatnonzero(~triggered)[: triggered.sum()]
    settings = {"twins": torch.from_numpy(twins)}
    value = measured(features, label, triggered, **settings)
    assert 0 < value < 100
    for more in (1, 5):
        near = neighbours_of(features, NEIGHBOURS + more)
        assert measured(features, label, triggered, near=near, **settings) == pytest.approx(value)


def test_broken_features_give_a_figure():
    home, _, label, triggered = scene(clean=60, triggered=20)
    home[3] = np.nan
    home[5] = np.inf
    assert 0 <= measured(home, label, triggered) <= 100
    assert 0 <= measured(np.zeros_like(home), label, triggered) <= 100


class OnApples(torch.Tensor):
    """Stands for a tensor on Apple's GPU, which has no float64."""

    device = property(lambda self: torch.device("mps"))  # type: ignore[assignment]

    def to(self, *_: object) -> torch.Tensor:  # type: ignore[override]
        return self

    def cpu(self) -> torch.Tensor:  # type: ignore[override]
        return self.as_subclass(torch.Tensor)

    def double(self) -> torch.Tensor:  # type: ignore[override]
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")


def test_a_device_without_float64_gives_the_same_figure():
    home, apart, label, triggered = scene(clean=300, triggered=100)
    tables = [torch.from_numpy(table) for table in (0.3 * apart + 0.7 * home, label, triggered)]
    value = dissolution(*tables)
    assert 0 < value < 100
    assert dissolution(*(table.as_subclass(OnApples) for table in tables)) == pytest.approx(value)
