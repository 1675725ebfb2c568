"""What the engine's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.core.tiny import Tiny


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """A small victim of BadNets; not to be changed."""
    from tests.core.tiny import tiny_victim

    return tiny_victim()
