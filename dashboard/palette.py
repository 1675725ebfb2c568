"""Colours that mean something: the attack, the clean, and one mark for each class.

Two hues are reserved: the attack is always ``ATTACK`` and the clean always ``CLEAN``, so no class wears either.
The class colours begin with the other chromatic colours of Okabe and Ito (Color Universal Design, 2008); the
extension was found by searching sRGB for colours that keep their distance (CIEDE2000) from each other and from
``ATTACK`` for normal sight and for simulated deuteranopia and protanopia (Machado et al., IEEE TVCG 2009), neither
too dark for a dark page nor too pale for a white one. The test holds the distances.
"""

from __future__ import annotations

from dataclasses import dataclass

ATTACK = "#D55E00"
CLEAN = "#0072B2"
NEUTRAL = "#7F8790"  # for what is neither: curves of progress, other bars; readable on white and on near-black
GRID = "rgba(127, 135, 144, 0.22)"  # lines behind a figure, on white and on near-black

CLASS_COLOURS = (
    "#56B4E9",  # sky blue (Okabe-Ito)
    "#5E2EAE",  # violet
    "#009E73",  # bluish green (Okabe-Ito)
    "#CC79A7",  # reddish purple (Okabe-Ito)
    "#F0E442",  # yellow (Okabe-Ito)
    "#4B69D2",  # indigo
    "#4E4E1E",  # olive
    "#3C695A",  # pine
    "#F0A5B4",  # rose
    "#5A5A78",  # slate
    "#69E1F0",  # aqua
    "#F0C396",  # sand
)
"""Twelve colours, no two of them alike for readers with red-green colour blindness."""

SHAPES = ("circle", "diamond", "square", "cross", "x")
"""Marker shapes that plotly.js draws in two dimensions and in three."""


@dataclass(frozen=True)
class Mark:
    """How the points of one class are drawn: ``colour`` as #RRGGBB, ``shape`` as a plotly.js symbol."""

    colour: str
    shape: str


def class_marks(count: int) -> tuple[Mark, ...]:
    """One mark for each of ``count`` classes.

    Up to 12 classes differ by colour alone; up to 60 by colour or shape. Beyond that marks repeat from the start:
    no reader tells more apart, and the name under the pointer does.
    """
    colours, shapes = len(CLASS_COLOURS), len(SHAPES)
    return tuple(Mark(CLASS_COLOURS[k % colours], SHAPES[k // colours % shapes]) for k in range(count))
