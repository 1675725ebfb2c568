"""Where things are kept: what is shipped with the project, and what a user's runs leave behind."""

from __future__ import annotations

import os
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
VICTIMS = ASSETS / "victims"
RECORDINGS = ASSETS / "recordings"


def home() -> Path:
    """The folder for runs, caches and downloaded data: ``$DISSOLVE_HOME``, else ``~/.dissolve``."""
    return Path(os.environ.get("DISSOLVE_HOME") or Path.home() / ".dissolve")


def runs_folder() -> Path:
    return home() / "runs"


def cache_folder() -> Path:
    return home() / "cache"


def uploads_folder() -> Path:
    """What visitors of the dashboard have given: one folder for each upload."""
    return home() / "uploads"


def data_folder() -> Path:
    """Where CIFAR-10 and GTSRB are looked for and downloaded to: ``$DISSOLVE_DATA``, else ``home()/data``."""
    return Path(os.environ.get("DISSOLVE_DATA") or home() / "data")
