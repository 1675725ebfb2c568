"""What the model looks at, before and after, as pictures with their sentence: report and Examine share them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from core.report.markup import Markup, el
from core.report.pictures import png_uri
from core.report.wording import Wording
from core.runs.arrays import Looks
from core.runs.record import Run

SIDE = 160  # pixels, of the longer side, as drawn
SMOOTHED = 0.026  # of that side: how far a pixel's weight is spread, for single pixels are hard to see
GREY = 180, 0.29  # behind the colour: the picture's brightness, pale
LIFTED = 0.7  # power of the strength: weak weights are to be seen, noise is not
COLOURS = 128
ATTACK, CLEAN = (213, 94, 0), (0, 114, 178)  # where it speaks for the attacker's answer, and for any other


class Shown(NamedTuple):
    """One picture: ``kind`` "picture", "before" or "after"; ``uri`` as a data URI; ``caption``: a few words."""

    kind: str
    uri: str
    caption: str


def shown(looks: Looks, say: Wording) -> list[Shown]:
    """The image with the trigger, and one picture a model of where it looks."""
    kind = "true" if bool(looks.real) else "estimated"
    uris = [
        png_uri(_scaled(looks.picture), COLOURS),
        *(png_uri(drawn(looks, k), COLOURS) for k in range(_count(looks))),
    ]
    captions = [say(f"looks.picture.{kind}")]
    captions += [
        say(f"looks.{when}", answer=say.class_name(int(answer)))
        for when, answer in zip(("before", "after"), looks.answers, strict=False)
    ]
    return [Shown(*one) for one in zip(("picture", "before", "after"), uris, captions, strict=False)]


def sentence(looks: Looks, say: Wording) -> str:
    """How much of what speaks for the answers lies on the trigger; or that nothing can be said of it, and why."""
    area = float(looks.area)
    facts = {"label": say.class_name(int(looks.label)), "area": say.words.percent(area, 0 if area >= 1 else 1)}
    shares = [float(share) for share in looks.share]
    if any(math.isnan(share) for share in shares):
        said = say("looks.spread", **facts)
    else:
        before, after = (say.words.percent(share, 0) for share in (shares * 2)[:2])
        said = say("looks.said" if len(shares) > 1 else "looks.said_before", before=before, after=after, **facts)
    return say.words.joined([said, say("looks.repeated")]) if bool(looks.repeated) else said


def section(run: Run, say: Wording) -> Markup | None:
    """The block of the report; None where the run keeps no such picture."""
    looks = run.looks()
    if looks is None:
        return None
    tiles = [
        el("figure", el("img", src=one.uri, alt=one.caption), el("figcaption", one.caption))
        for one in shown(looks, say)
    ]
    return el(
        "section",
        el("h2", say("looks.title")),
        el("div", *tiles, cls=f"tiles n{len(tiles)}"),
        el("p", sentence(looks, say), cls="small"),
        cls="looks",
    )


def drawn(looks: Looks, which: int) -> np.ndarray:
    """Where a model looks, uint8 (h, w, 3): the picture in pale grey, and on it in colour what speaks for the answer.

    Args:
        which: of the models, 0 or 1.
    """
    from PIL import Image, ImageFilter

    picture = _scaled(looks.picture).astype(float)
    height, width = picture.shape[:2]
    heat = Image.fromarray(looks.heat[which]).resize((width, height), Image.Resampling.BICUBIC)
    spread = np.asarray(heat.filter(ImageFilter.GaussianBlur(SMOOTHED * SIDE)), float)
    strength = ((spread / max(float(spread.max()), 1.0)) ** LIFTED)[..., None]
    ground, share = GREY
    grey = (ground + share * picture @ np.array([0.299, 0.587, 0.114]))[..., None]
    colour = np.array(ATTACK if looks.answers[which] == looks.target else CLEAN)
    return np.rint(grey + (colour - grey) * strength).astype(np.uint8)


def _count(looks: Looks) -> int:
    return min(len(looks.heat), len(looks.answers), 2)


def _scaled(picture: np.ndarray) -> np.ndarray:
    """``SIDE`` pixels on its longer side."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
