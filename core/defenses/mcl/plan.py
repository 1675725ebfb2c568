"""How the default of MCL adapts its settings to the network, the clean budget and the triggers: one pure function.

Four inputs decide:

- *Scarcity of clean images* (clean images per class). A network soon overfits the labels of few images with triggers.
  So the weight of the victim's own answers rises, and annealing takes longer.
- *Normalisation layers.* A layer that is normalised does not change with the scale of its weights, so a learning rate
  that is too high does little harm. Without normalisation it does harm. Without batch norm, whose noise regularises,
  labels are overfitted sooner.
- *Confidence in the triggers* (``Confidence``). A doubtful trigger may belong to another class or be a poor copy. So
  the margin is wider, and random stamps are trained on as well. Where there is no confidence, stamps alone are.
- *Size of the images.* What batch norm measures is a mean over the pixels of a batch, which large images have more
  of. So a step needs fewer of them, while the number of steps stays.

The constants were chosen by hand on CIFAR-10 and road-sign victims; the trials are in tests/benchmarks/MCL_LOG.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.defenses.mcl.settings import MCLSettings
from core.triggers.reconstructed import Confidence

AMPLE_PER_CLASS = 100  # clean images per class from which on scarcity is 0
SCARCITY_WITHOUT_BATCH_NORM = 0.5  # scarcity is at least this where no layer normalises by batches
SCARCE_KEEP_FACTOR = 2.0  # factor on the weight of ``keep`` at scarcity 1
SCARCE_EXTRA_ANNEAL = 1.0  # annealing steps added at scarcity 1, as a share of the setting
LR_FACTOR_WITHOUT_NORMALISATION = 0.1
DOUBTFUL_MARGIN_FACTOR = 1.5
STAMPS_KEEP_FACTOR = 0.25  # factor on the weight of ``keep``: an unknown trigger may resemble a clean or mixed image
STAMPS_ANNEAL_FACTOR = 1.5  # least factor on the annealing steps where stamps are trained on

MIN_BATCH = 4  # images: statistics of fewer are mostly noise
REFERENCE_SIDE = 32  # pixels: side of the images that the settings were chosen on

Normalisation = Literal["batch", "other", "none"]


@dataclass(frozen=True)
class Plan:
    """The settings as they are used; the fields have the names and units of ``MCLSettings``.

    Attributes:
        batch: clean images per step.
        lr: learning rate, at most.
        anneal: steps.
        keep: loss weight.
        mixed: share of the clean images that are mixed in pairs, 0-1.
        margin: logits, against the target of the triggers.
        triggers: whether images with reconstructed triggers are trained on.
        stamps: whether images with random stamps are trained on.
    """

    batch: int
    lr: float
    anneal: int
    keep: float
    mixed: float
    margin: float
    triggers: bool
    stamps: bool


def plan(
    settings: MCLSettings, per_class: float, normalisation: Normalisation, confidence: Confidence, pixels: int
) -> Plan:
    """The settings adapted to one purification.

    Args:
        settings: of the user.
        per_class: clean images per class, on average.
        normalisation: "batch": by batch norm; "other": by other layers; "none": no layer normalises.
        confidence: in the reconstructed triggers.
        pixels: of an image, as the network takes it.
    """
    scarcity = 1 - min(1.0, per_class / AMPLE_PER_CLASS)
    if normalisation != "batch":
        scarcity = max(scarcity, SCARCITY_WITHOUT_BATCH_NORM)
    stamps = settings.stamps > 0 and confidence is not Confidence.SURE
    anneal_factor = max(1 + SCARCE_EXTRA_ANNEAL * scarcity, STAMPS_ANNEAL_FACTOR if stamps else 1.0)
    if normalisation == "other":  # as long as at scarcity 1, by the one network with group norm that was measured
        anneal_factor = 1 + SCARCE_EXTRA_ANNEAL
    return Plan(
        batch=images_by_size(settings.batch, pixels),
        lr=settings.lr * (LR_FACTOR_WITHOUT_NORMALISATION if normalisation == "none" else 1.0),
        anneal=round(settings.anneal * anneal_factor),
        keep=settings.keep * (1 + (SCARCE_KEEP_FACTOR - 1) * scarcity) * (STAMPS_KEEP_FACTOR if stamps else 1.0),
        # without stamps the triggers are trained against whatever the confidence, so it does not limit the mixing
        mixed=_mixed_share(settings, scarcity, confidence if stamps else Confidence.SURE),
        margin=settings.margin * (DOUBTFUL_MARGIN_FACTOR if confidence is Confidence.DOUBTFUL else 1.0),
        triggers=confidence is not Confidence.NONE or not stamps,
        stamps=stamps,
    )


def images_by_size(images: int, pixels: int) -> int:
    """How many images of this size do in place of ``images`` small ones.

    Up to 32 x 32 pixels as many; from there on their number falls with the square root of the side. So a batch of 64
    has 45 images of 64 pixels a side, and 24 of 224.
    """
    return max(min(images, MIN_BATCH), round(images * min(1.0, (REFERENCE_SIDE**2 / pixels) ** 0.25)))


def _mixed_share(settings: MCLSettings, scarcity: float, confidence: Confidence) -> float:
    """Share of the clean images that are mixed in pairs, 0-1.

    A mixed image can look like a trigger, and the victim's answer to it is kept. So nothing is mixed if the trigger is
    doubtful. If no trigger is known, the share is the scarcity and no more.
    """
    if settings.mixed == 0 or confidence is Confidence.DOUBTFUL:
        return 0.0
    return scarcity if confidence is Confidence.NONE else max(settings.mixed, scarcity)
