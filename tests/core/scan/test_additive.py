"""Added triggers, on a victim whose trigger has a place."""

from __future__ import annotations

from core.compute.returning import returned
from core.scan import additive
from core.scan.form import invert
from core.scan.inversion import Inverted
from tests.core.tiny import Tiny


def result(tiny: Tiny) -> Inverted:
    return returned(invert(additive, tiny.model, tiny.x))


def test_a_patch_is_found_pixel_by_pixel(tiny: Tiny) -> None:
    found = result(tiny)
    assert found.form == "pixel"
    assert int(found.sizes.argmin()) == tiny.target
    assert tiny.figures(tiny.model, found.trigger(tiny.target))[1] > 50  # type: ignore[arg-type]


def test_shapes_and_ranges(tiny: Tiny) -> None:
    found = result(tiny)
    assert found.masks is None
    assert found.patterns.shape == (10, 3, 16, 16)
    assert found.patterns.abs().max() <= 1
    assert not found.patterns.requires_grad
