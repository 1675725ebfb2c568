"""Dissolve's engine: find a backdoor in an image classifier and purify it. Knows no Streamlit and no Plotly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.explore.tables import Tables

__version__ = "0.1.0"


def load(run: str | Path = "last") -> Tables:
    """A run as pandas tables, for a notebook: ``events``, ``steps``, ``figures``, ``frames``, ``samples``, ``points``.

    Args:
        run: its id (also of a shipped recording), its folder, or "last".

    Raises:
        BadInput: there is no such run.
    """
    from core.explore.tables import Tables  # pandas takes its time
    from core.runs.record import find

    return Tables(find(str(run)))
