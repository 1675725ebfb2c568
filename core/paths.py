"""Folders: of the files shipped with the project, and of a user's runs, caches and data."""

from __future__ import annotations

import os
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
VICTIMS = ASSETS / "victims"
RECORDINGS = ASSETS / "recordings"
RECORDED = ASSETS / "recorded"


def home() -> Path:
    """The folder for runs, caches and downloaded data: ``$DISSOLVE_HOME``, else ``~/.dissolve``; absolute."""
    return _named_by("DISSOLVE_HOME") or Path.home() / ".dissolve"


def runs_folder() -> Path:
    return home() / "runs"


def cache_folder() -> Path:
    return home() / "cache"


def uploads_folder() -> Path:
    """What visitors of the dashboard have given: one folder for each upload."""
    return home() / "uploads"


def data_folder() -> Path:
    """Where CIFAR-10 and GTSRB are looked for and downloaded to: ``$DISSOLVE_DATA``, else ``home()/data``; absolute."""
    return _named_by("DISSOLVE_DATA") or home() / "data"


def expanded(given: str | Path) -> Path:
    """``given`` with ``~`` and ``~name`` as the home folders they stand for; ``~nobody`` is left as it is."""
    return Path(os.path.expanduser(given))


def absolute(given: str | Path) -> Path:
    """``expanded``, absolute and without links; links that lead in a circle are left as they are."""
    return Path(os.path.realpath(expanded(given)))


def is_file(given: str | Path) -> bool:
    """Whether ``given`` names a file; False for whatever cannot be one: too long, in a closed folder, a pipe."""
    return os.path.isfile(expanded(given))  # where Path.is_file raises, depending on the fault


def exists(given: str | Path) -> bool:
    """Whether ``given`` names anything; False for whatever cannot be a path, as ``is_file``."""
    return os.path.exists(expanded(given))


def _named_by(variable: str) -> Path | None:
    """The folder that an environment variable names, absolute; None where it is not set.

    A relative one is relative to where the program was started. The absolute path is written back to the environment,
    since worker processes run in another folder and inherit it.
    """
    given = os.environ.get(variable)
    if given and not os.path.isabs(given):
        given = os.environ[variable] = os.path.abspath(given)
    return Path(given) if given else None


for _variable in (
    "DISSOLVE_HOME",
    "DISSOLVE_DATA",
):  # at import, while the working directory is still that of the start
    _named_by(_variable)
