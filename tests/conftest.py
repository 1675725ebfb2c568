"""No test touches the user's own runs, caches or processor count."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Before torch is imported: the tensors of these tests are tiny, and threads only get into one another's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def dissolve_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home for the whole session, so that what is drawn once is kept; tests that count runs set their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISSOLVE_HOME", str(tmp_path_factory.mktemp("home")))
        yield
