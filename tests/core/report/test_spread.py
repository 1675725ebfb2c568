from __future__ import annotations

import math

import pytest

from core.report.spread import spread


def test_mean_and_range_of_what_was_measured() -> None:
    found = spread([2.0, None, 7.0, math.nan, 3.0])
    assert found is not None
    assert found == (pytest.approx(4.0), 2.0, 7.0, 3)


def test_nothing_measured_has_no_mean() -> None:
    assert spread([]) is None
    assert spread([None, math.nan]) is None
