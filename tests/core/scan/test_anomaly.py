from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from core.scan.anomaly import anomaly_index

INF = math.inf


def test_by_hand() -> None:
    """Median 40, deviations 35, 2, 0, 2, 10: their median is 2, times 1.4826."""
    found = anomaly_index(tensor([5.0, 38.0, 40.0, 42.0, 50.0]))
    assert found.tolist() == pytest.approx([35 / 2.9652, 2 / 2.9652, 0, -2 / 2.9652, -10 / 2.9652], rel=1e-5)


def test_an_even_number_of_classes_takes_the_middle_between_two() -> None:
    """Median 7, deviations 6, 1, 1, 3: their median is 2."""
    assert anomaly_index(tensor([1.0, 6.0, 8.0, 10.0])).tolist() == pytest.approx(
        [6 / 2.9652, 1 / 2.9652, -1 / 2.9652, -3 / 2.9652], rel=1e-5
    )


def test_a_class_no_mask_reached_counts_as_the_largest_mask_found() -> None:
    with_infinite = anomaly_index(tensor([5.0, INF, 40.0, 42.0, 50.0, 38.0]))
    assert with_infinite.tolist() == pytest.approx(anomaly_index(tensor([5.0, 50.0, 40.0, 42.0, 50.0, 38.0])).tolist())
    assert with_infinite.isfinite().all()


@pytest.mark.parametrize("sizes", [[7.0, 7.0, 7.0], [INF, INF, INF], [3.0, INF, INF], [3.0], [9.0, 9.0, 9.0, 9.0, 1.0]])
def test_without_a_deviation_there_is_no_outlier(sizes: list[float]) -> None:
    assert anomaly_index(tensor(sizes)).tolist() == [0.0] * len(sizes)


SIZES = st.lists(st.floats(0.5, 1000, width=32), min_size=3, max_size=12)


@given(SIZES, st.floats(0.1, 10))
def test_the_smallest_mask_stands_out_most_whatever_the_unit(sizes: list[float], scale: float) -> None:
    found = anomaly_index(tensor(sizes))
    assert found[sizes.index(min(sizes))] == found.max()
    if found.abs().max() < 100:  # beyond, the deviation is mostly rounding
        assert anomaly_index(tensor(sizes) * scale).tolist() == pytest.approx(found.tolist(), rel=0.01, abs=0.05)
