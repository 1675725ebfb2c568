"""The risk: between 0 and 100, rising with evidence and with exposure, and never an order against the verdict."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fleet.risk import BANDS, EXPOSURE, evidence, risk

VERDICTS = ("none", "some", "strong")
octaves = st.floats(-5, 40)
verdicts = st.sampled_from(VERDICTS)


@given(verdicts, octaves, octaves, st.booleans())
def test_more_suspicion_is_never_less_evidence(verdict: str, one: float, other: float, caution: bool) -> None:
    low, high = sorted((one, other))
    assert 0 <= evidence(verdict, low, caution) <= evidence(verdict, high, caution) <= 1


@given(octaves, octaves)
def test_a_graver_verdict_is_more_evidence_however_suspicious(one: float, other: float) -> None:
    for milder, graver in pairwise(VERDICTS):
        assert evidence(milder, one, caution=True) < evidence(graver, other)


@given(verdicts, octaves)
def test_caution_is_never_less_evidence(verdict: str, suspicion: float) -> None:
    assert evidence(verdict, suspicion, True) >= evidence(verdict, suspicion, False)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(EXPOSURE), st.sampled_from(EXPOSURE))
def test_the_risk_rises_with_evidence_and_with_exposure(one: float, other: float, little: int, much: int) -> None:
    (low, high), (little, much) = sorted((one, other)), sorted((little, much))
    assert 0 <= risk(low, little) <= risk(high, little) <= risk(high, much) <= 100


@pytest.mark.parametrize(
    ("found", "exposure", "expected"), [(1.0, 5, 100), (0.5, 5, 50), (0.5, 1, 10), (0.8, 3, 48), (0.0, 5, 0)]
)
def test_the_risk_is_evidence_times_the_share_of_the_highest_exposure(
    found: float, exposure: int, expected: float
) -> None:
    assert risk(found, exposure) == expected


def test_an_exposure_that_nobody_stated_counts_as_the_highest() -> None:
    assert risk(0.7, None) == risk(0.7, 5)


def test_half_of_a_band_is_reached_where_a_sign_is_called_strong() -> None:
    low, high = BANDS["strong"]
    assert evidence("strong", 3.5) == pytest.approx((low + high) / 2)
    assert evidence("strong", float("nan")) == low
