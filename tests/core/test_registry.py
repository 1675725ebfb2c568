from __future__ import annotations

import collections

import pytest

from core.registry import loaded


def test_what_is_asked_for_is_loaded() -> None:
    assert loaded("collections:OrderedDict") is collections.OrderedDict
    with pytest.raises(AttributeError):
        loaded("collections:Nothing")
