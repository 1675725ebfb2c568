"""The range of a setting is that of its class and of the class that it extends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from core.defenses.presets import from_preset
from core.errors import BadInput


@dataclass(frozen=True)
class Plain:
    ABOVE_0: ClassVar[tuple[str, ...]] = ("epochs",)
    epochs: int = 3
    share: float = 0.5


@dataclass(frozen=True)
class Further(Plain):
    ABOVE_0: ClassVar[tuple[str, ...]] = ("radius",)
    BELOW_1: ClassVar[tuple[str, ...]] = ("share",)
    AT_MOST_1: ClassVar[tuple[str, ...]] = ("alpha",)
    radius: float = 0.1
    alpha: float = 1.0


def given(settings: Plain, **changes: Any) -> Any:
    return from_preset("A method", {"default": settings}, "default", **changes)


def test_a_value_in_range_takes_the_type_of_the_setting() -> None:
    found = given(Further(), epochs=2.0, radius=1, share=0, alpha=1)
    assert (found.epochs, found.radius, found.share, found.alpha) == (2, 1.0, 0.0, 1.0)
    assert isinstance(found.epochs, int)
    assert given(Plain(), share=7).share == 7, "no range of another class's"


@dataclass(frozen=True)
class Without(Further):
    UNUSED: ClassVar[tuple[str, ...]] = ("share",)


def test_what_a_method_inherits_and_never_uses_cannot_be_changed() -> None:
    with pytest.raises(BadInput, match="has no setting 'share'; it has epochs, radius, alpha") as caught:
        given(Without(), share=0.1)
    assert caught.value.code == "unknown_setting"


@dataclass(frozen=True)
class Lasting(Plain):
    least: int = 150


@pytest.mark.parametrize(
    ("changes", "least"), [({}, 150), ({"share": 0.1}, 150), ({"epochs": 1}, 0), ({"epochs": 1, "least": 20}, 20)]
)
def test_epochs_that_are_asked_for_are_not_raised_to_the_least_steps(changes: dict[str, float], least: int) -> None:
    assert given(Lasting(), **changes).least == least


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epochs": 0}, "one whole number above 0,"),
        ({"radius": 0}, "one number above 0,"),
        ({"share": 1}, "one number of 0 or more and below 1,"),
        ({"alpha": 1.1}, "one number of 0 or more and at most 1,"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(changes: dict[str, float], says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        given(Further(), **changes)
    assert caught.value.code == "bad_setting"
