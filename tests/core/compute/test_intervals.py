from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from core.compute.intervals import Z, confidence_sequence, enough_to_tell, images_for, one_miss, wilson


@given(st.integers(1, 20_000), st.data())
def test_at_its_ends_a_share_is_just_as_far_off_as_chance_allows(count: int, data: st.DataObject) -> None:
    """What defines the interval: a true share p at an end lies Z of its own standard deviations from what was seen."""
    seen = data.draw(st.integers(0, count)) / count
    interval = wilson(100 * seen, count)
    assert interval is not None
    for end in interval:
        share = end / 100
        assert abs(seen - share) == pytest.approx(Z * math.sqrt(share * (1 - share) / count), abs=1e-9)


@given(st.floats(0, 100), st.integers(1, 50_000))
def test_an_interval_holds_the_figure_and_stays_a_percentage(percent: float, count: int) -> None:
    interval = wilson(percent, count)
    assert interval is not None
    assert 0 <= interval.low <= percent + 1e-9
    assert percent - 1e-9 <= interval.high <= 100


def test_known_numbers() -> None:
    """By hand: 0 of 10 is 0 to z2/(10+z2); 5 of 10 is the textbook's 23.7 to 76.3."""
    none, half = wilson(0, 10), wilson(50, 10)
    assert none is not None
    assert half is not None
    assert none == pytest.approx((0, 100 * Z**2 / (10 + Z**2)))
    assert half == pytest.approx((23.66, 76.34), abs=0.01)


def test_more_images_make_it_narrower() -> None:
    few, many = wilson(5, 100), wilson(5, 10_000)
    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(("percent", "count"), [(math.nan, 10), (50.0, 0)])
def test_nothing_measured_has_no_interval(percent: float, count: int) -> None:
    assert wilson(percent, count) is None


@given(st.floats(0, 4.5))
def test_enough_images_tell_a_share_from_a_limit_and_one_fewer_does_not(percent: float) -> None:
    enough = enough_to_tell(percent, 5.0)
    assert enough is not None
    there, before = wilson(percent, enough), wilson(percent, enough - 1)
    assert there is not None
    assert there.high < 5.0
    assert before is None or before.high >= 5.0


def test_no_number_of_images_tells_a_share_from_what_it_reaches() -> None:
    assert enough_to_tell(5.0, 5.0) is None
    assert enough_to_tell(float("nan"), 5.0) is None


@pytest.mark.parametrize("limit", [0.5, 2.0, 5.0])
def test_one_miss_among_enough_images_leaves_less_than_the_limit(limit: float) -> None:
    enough = images_for(limit)
    assert one_miss(enough) < limit <= one_miss(enough - 1)


def test_one_miss_in_108_leaves_five_percent_and_none_at_all_everything() -> None:
    assert one_miss(108) == pytest.approx(5.06, abs=0.01)
    assert one_miss(0) == 100
    with pytest.raises(ValueError, match="above 0"):
        images_for(0)


@pytest.mark.parametrize(("count", "total"), [(0, 1), (1, 1), (1, 3), (0, 300), (6, 300), (60, 400), (400, 400)])
def test_at_the_ends_of_a_sequence_the_mixture_is_twenty_times_as_likely(count: int, total: int) -> None:
    """What defines it, with the likelihoods of scipy: the order of the images does not matter."""
    found = confidence_sequence(count, total)
    assert found.low <= 100 * count / total <= found.high
    mixed = betabinom.logpmf(count, total, 0.5, 0.5)
    for end, open_ in ((found.low, count == 0), (found.high, count == total)):
        if not open_:
            assert mixed - binom.logpmf(count, total, end / 100) == pytest.approx(math.log(20), abs=1e-6)
    assert (found.low == 0, found.high == 100) == (count == 0, count == total)


def test_a_sequence_holds_at_all_looks_together_and_an_interval_for_one_look_does_not() -> None:
    """200 streams of 150 images, looked at after each image: how many ever miss the true share of 10 %."""
    kinds = np.cumsum(np.random.default_rng(0).random((200, 150)) < 0.1, axis=1)
    missed = {"sequence": 0, "wilson": 0}
    for stream in kinds.tolist():
        pairs = [(confidence_sequence(seen, n), wilson(100 * seen / n, n)) for n, seen in enumerate(stream, 1)]
        for name, intervals in zip(missed, zip(*pairs, strict=True), strict=True):
            missed[name] += not all(one.low <= 10 <= one.high for one in intervals)
    assert missed["sequence"] <= 10
    assert missed["wilson"] > 40
