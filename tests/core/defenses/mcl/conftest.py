"""What MCL's tests share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.defenses.mcl.purifier import Purifier
from core.training.loop import PurifyStep
from tests.core.defenses.mcl.purifiers import SHORT, make
from tests.core.tiny import Tiny


@pytest.fixture(scope="session")
def purified(tiny: Tiny) -> tuple[Purifier, list[PurifyStep]]:
    """A whole run of the default with the real trigger; not to be changed."""
    purifier = make(tiny, replace(SHORT, epochs=20))
    return purifier, list(purifier.steps())
