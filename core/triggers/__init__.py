"""Triggers that are not the attacker's: reconstructed ones, and random stamps.

How a form of reconstructed trigger is put into images, and drawn, is a module with four functions:

- ``put(images, mask, pattern)``: float tensors (n, 3, h, w) in [0, 1]; the images with the trigger in them;
- ``on(image, mask, pattern)``: the same with numpy, of one image, float (h, w, 3); it may lead out of 0-1;
- ``opacity(mask, pattern)``: (1, h, w), 0-1, how much of it there is at each pixel, to be drawn;
- ``colours(mask, pattern)``: (3, h, w), 0-1, what it looks like.

A pattern is (3, h, w), a mask (1, h, w), 0-1; a form that has none is given None, or one that is blank. Importing these
modules pulls in no torch: pages draw triggers.
"""

from __future__ import annotations

MASKED = "core.triggers.masked"

FORMS: dict[str, str] = {
    "mask": MASKED,
    "pixel": "core.triggers.added",
    "smooth": "core.triggers.added",
    "warp": "core.triggers.warping",
}
"""The module of each form; its position is its number in a run's record, so a new one comes last."""
