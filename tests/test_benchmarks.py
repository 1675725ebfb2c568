"""The benchmarks, which no other test runs: each can be imported and has its rows, so that none rots unseen."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.benchmarks import costs
from tests.benchmarks.__main__ import MODULES


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_can_be_imported_and_has_rows(name: str) -> None:
    assert callable(import_module(f"tests.benchmarks.{name}").rows)


def test_costs_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "NETWORKS", (("small", 4),))
    found = costs.rows(steps=1, warm=1)
    assert len(found) >= 2
    assert all(" ms (" in measured for _, measured, _ in found)
