"""What the tests of networks and their files share."""

from __future__ import annotations

import pytest
import torch

from core.models.small import SmallNet


@pytest.fixture(scope="module")
def net() -> SmallNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SmallNet(3, width=2).eval()
