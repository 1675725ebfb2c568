from __future__ import annotations

import collections

import pytest

from core import data, dataroom, featuremap, scan, suspicion, triggers, watch
from core.attacks import ATTACKS
from core.cli.parser import COMMANDS
from core.defenses import DEFENCES
from core.fleet.engines import ENGINES
from core.models import ARCHITECTURES, SIZED
from core.registry import loaded
from core.stress.settings import CORRUPTIONS

PLACES = [
    *ATTACKS.values(),
    *featuremap.METHODS.values(),
    *watch.DETECTORS.values(),
    *dataroom.FILTERS.values(),
    *suspicion.METHODS.values(),
    *scan.FORMS.values(),
    *triggers.FORMS.values(),
    *CORRUPTIONS.values(),
    *(place for place, _ in (*COMMANDS.values(), *ENGINES.values())),
    *(f"{place}_arguments" for place, _ in COMMANDS.values()),
    *(method.place for method in DEFENCES.values()),
    *(network.place for network in (ARCHITECTURES | SIZED).values()),
    *(known.place for known in data.IMAGE_SETS.values()),
]
"""All that is chosen by name, light to list: ``test_errors_and_imports.py``."""


def test_what_is_asked_for_is_loaded() -> None:
    assert loaded("collections:OrderedDict") is collections.OrderedDict
    assert loaded("collections") is collections
    with pytest.raises(AttributeError):
        loaded("collections:Nothing")


@pytest.mark.parametrize("place", sorted(set(PLACES)))
def test_what_has_a_name_is_there(place: str) -> None:
    assert loaded(place) is not None


def test_every_method_says_what_is_asked_of_its_kind() -> None:
    for places, asked in (
        (watch.DETECTORS, ("fit", "score")),
        (suspicion.METHODS, ("score", "SHARE")),
        (scan.FORMS, ("SETTINGS", "start")),
        (triggers.FORMS, ("put", "on", "opacity", "colours")),
    ):
        assert all(hasattr(loaded(place), name) for place in places.values() for name in asked)
    for name, method in DEFENCES.items():
        assert callable(loaded(f"{method.place.partition(':')[0]}:settings_for")), name


def test_the_triggers_of_every_form_of_the_scan_can_be_put_into_images() -> None:
    assert scan.FORMS.keys() <= triggers.FORMS.keys()
