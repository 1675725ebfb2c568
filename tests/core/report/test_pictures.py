from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from core.report import pictures
from core.triggers.kept import FORMS, KeptTriggers


def trigger(form: str) -> KeptTriggers:
    """A bright patch low on the right, or a change of a tenth on the left half."""
    masks, patterns = np.zeros((1, 1, 8, 8), np.float32), np.zeros((1, 3, 8, 8), np.float32)
    if form == "mask":
        masks[..., 6:, 6:], patterns[..., 6:, 6:] = 1, 1
    else:
        patterns[..., :4] = 0.1
    one = np.ones(1)
    return KeptTriggers(np.array([FORMS.index(form)], np.int8), one.astype(np.int32), one, masks, patterns)


def pixels(uri: str) -> np.ndarray:
    kind, content = uri.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")).astype(int)


def test_a_patch_is_seen_at_its_place_on_grey() -> None:
    seen = pixels(pictures.trigger_alone(trigger("mask")))
    assert (seen[6:, 6:] == 255).all()
    assert (seen[:6] == round(255 * pictures.GREY)).all()


def test_a_faint_change_is_shown_as_strong_as_can_be() -> None:
    seen = pixels(pictures.trigger_alone(trigger("smooth")))
    assert (seen[:, :4] == 255).all()
    assert (seen[:, 4:] == 128).all()


@pytest.mark.parametrize(("form", "changed"), [("mask", 255), ("pixel", 126)])
def test_on_an_image_it_is_as_strong_as_it_is(form: str, changed: int) -> None:
    seen = pixels(pictures.trigger_on(trigger(form), np.full((8, 8, 3), 100, np.uint8)))
    place = np.s_[6:, 6:] if form == "mask" else np.s_[:, :4]
    assert abs(seen[place] - changed).max() <= 1
    assert (seen[:6, 4:] == 100).all()


def test_large_pictures_are_made_small() -> None:
    assert pixels(pictures.data_uri(np.zeros((300, 200, 3)))).shape == (96, 64, 3)
