"""Triggers that are not the attacker's: reconstructed ones, and random stamps.

Each form of reconstructed trigger has a module with four functions, which apply a trigger to images and draw it:

- ``put(images, mask, pattern)``: the images, float tensors (n, 3, h, w) in [0, 1], with the trigger;
- ``on(image, mask, pattern)``: the same with numpy for one image, float (h, w, 3); not clipped to 0-1;
- ``opacity(mask, pattern)``: the opacity at each pixel, (1, h, w), 0-1;
- ``colours(mask, pattern)``: the trigger as a picture, (3, h, w), 0-1.

A pattern is (3, h, w), a mask (1, h, w), 0-1. In a form without masks, the mask is None or zeros. These modules import
no torch on their own, since pages draw triggers.
"""

from __future__ import annotations

MASKED = "core.triggers.masked"

FORMS: dict[str, str] = {
    "mask": MASKED,
    "pixel": "core.triggers.added",
    "smooth": "core.triggers.added",
    "warp": "core.triggers.warping",
}
"""The module of each form; its position is its number in a run's record, so a new form comes last."""
