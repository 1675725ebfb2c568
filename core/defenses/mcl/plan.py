"""What the default of MCL does with this network and these images: one place, one pure function.

Three things decide. *How many clean images a class there are*: few labels are soon learnt by heart, so the labels
weigh less, the victim's own answers more, and the annealing takes longer. *What normalises*: where layers normalise,
the size of their weights changes nothing, and a rate that is too high harms little; where nothing does, it harms, and
without batch norm labels are learnt by heart sooner. *How far the triggers are trusted* (``Confidence``): one in doubt
may be another class's or a poor copy, so the margin is wider and random stamps come beside it; where there is none,
stamps stand alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.defenses.mcl.settings import MCLSettings
from core.triggers.reconstructed import Confidence

PLENTY = 100  # clean images a class from which on their labels say enough
FEW_CLEAN, FEW_KEEP = 0.1, 2.0  # times their weights these terms have where there are next to no images
FEW_ANNEAL = 1.0  # how much longer the annealing is there, times its steps
UNBATCHED = 0.5  # without batch norm: as if images were at least so few
PLAIN_RATE = 0.1  # of the learning rate, where no layer normalises
WIDER = 1.5  # the margin against a trigger in doubt
STAMPS_KEEP = 0.25  # of the weight of the victim's answers beside stamps: what is not known may be among them
LONGER_STAMPS = 1.5  # the annealing, where stamps are trained against

Normalisation = Literal["batch", "other", "none"]


@dataclass(frozen=True)
class Plan:
    """What comes of the settings.

    Attributes:
        lr: learning rate. anneal: steps. clean, keep: weights. mixed: share of clean images that come mixed, 0-1.
        margin: against the targets of triggers. triggers, stamps: whether triggered or stamped images are trained on.
    """

    lr: float
    anneal: int
    clean: float
    keep: float
    mixed: float
    margin: float
    triggers: bool
    stamps: bool


def plan(settings: MCLSettings, per_class: float, normalisation: Normalisation, confidence: Confidence) -> Plan:
    """The plan for a purification.

    Args:
        settings: of the user.
        per_class: clean images a class, on average.
        normalisation: of the network: by batches, otherwise, or none.
        confidence: in the triggers.
    """
    few = 1 - min(1.0, per_class / PLENTY)
    if normalisation != "batch":
        few = max(few, UNBATCHED)
    stamps = settings.stamps > 0 and confidence is not Confidence.SURE
    longer = max(1 + FEW_ANNEAL * few, LONGER_STAMPS if stamps else 1.0)
    if normalisation == "other":
        longer = 1 + FEW_ANNEAL
    return Plan(
        lr=settings.lr * (PLAIN_RATE if normalisation == "none" else 1.0),
        anneal=round(settings.anneal * longer),
        clean=settings.clean * (1 + (FEW_CLEAN - 1) * few),
        keep=settings.keep * (1 + (FEW_KEEP - 1) * few) * (STAMPS_KEEP if stamps else 1.0),
        mixed=_mixed(settings, few, confidence if stamps else Confidence.SURE),
        margin=settings.margin * (WIDER if confidence is Confidence.DOUBTFUL else 1.0),
        triggers=confidence is not Confidence.NONE or not stamps,
        stamps=stamps,
    )


def _mixed(settings: MCLSettings, few: float, confidence: Confidence) -> float:
    """Mixed images look like triggers of some kind, and what the victim answers to them is kept: so there are none
    beside a trigger in doubt, and only as many as images are missing where none is known."""
    if settings.mixed == 0 or confidence is Confidence.DOUBTFUL:
        return 0.0
    return few if confidence is Confidence.NONE else max(settings.mixed, few)
