"""What MCL's tests share."""

from __future__ import annotations

import pytest

from core.defenses.mcl import Purifier
from core.defenses.settings import settings_for
from core.defenses.training import PurifyStep
from tests.core.defenses.purifiers import make
from tests.core.tiny import Tiny


@pytest.fixture(scope="session")
def purified(tiny: Tiny) -> tuple[Purifier, list[PurifyStep]]:
    """A whole run of the default preset with the real trigger; not to be changed."""
    purifier = make(tiny, settings_for("default"))
    return purifier, list(purifier.steps())
