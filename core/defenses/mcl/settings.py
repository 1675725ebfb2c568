"""The settings of MCL, of the default and as published: loss weights and schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class MCLSettings:
    """Loss weights and schedule of the default; a weight of 0 switches its part off.

    ``tau``, ``batch``, ``momentum`` and ``weight_decay`` are the authors'; the rest was set on victims of this project
    (NOTES.md beside this file). ``core.defenses.mcl.plan`` adapts them to the network, the clean budget and the
    triggers.

    Args:
        contrast: weight of the model-contrastive loss (``core.defenses.mcl.contrast``).
        supervised: weight of the cross-entropy of triggered images x_t with the labels of x.
        keep: weight of the divergence KL(victim || model) between their answers on clean and mixed images
            (distillation).
        mixed: least share, 0-1, of the clean images that are mixed in pairs (``core.defenses.mcl.mixing``).
        target_pairs: images of the target classes that are added to the clean ones of a step, each mixed with another
            one of its class, as a share of the batch, 0-1. They preserve the recall of these classes.
        margin: logits, added to the target's logit in the cross-entropy of x_t. A triggered image then has to be
            classified correctly by a margin (as for rare classes in LDAM, Cao et al., NeurIPS 2019).
        stamps: the margin for random stamps (``core.triggers.stamps``), logits. Stamps are used unless the scan is sure
            of its triggers; 0: never.
        tau: temperature of the contrastive loss.
        lr: learning rate, at most.
        moved: trust region, nats: the KL divergence by which the first step may change the answers on clean images. The
            learning rate is lowered until it does not change them more (``core.training.rate``).
        batch: clean images per step, with images larger than 32 x 32 pixels at most; as many triggered ones are added.
        momentum, weight_decay: of SGD.
        epochs: passes over the clean budget before the annealing, at most, but not fewer than 40 steps. It ends earlier
            once the attack is gone; where stamps are trained on, it takes 80 steps whatever ``epochs`` is.
        anneal: steps of the annealing, in which the learning rate falls from its peak to 0. It begins as soon as the
            attack is gone, and the run ends with it.
        holdout: share of the clean budget that is held out from training, 0-1, to estimate BA and ASR.
        check_every: steps between two checks on the held-out part.
        gone: estimated ASR, percent, at and below which the attack counts as gone.
        restarts: further triggers in each form, from other random starts, and warps (``core.scan.every_form``).
        rounds: rounds at most (``core.defenses.mcl.rounds``): when the attack seems gone, triggers that still work on
            the current model are reconstructed and trained against.
        most_drop: largest loss of BA, percentage points, with which a purified model is written; 0: no limit.
    """

    ABOVE_0: ClassVar[tuple[str, ...]] = ("tau", "moved", "batch", "epochs", "anneal", "check_every")
    BELOW_1: ClassVar[tuple[str, ...]] = ("momentum", "holdout")
    AT_MOST_1: ClassVar[tuple[str, ...]] = ("mixed", "target_pairs")
    contrast: float = 1.0
    supervised: float = 1.0
    keep: float = 8.0
    mixed: float = 0.5
    target_pairs: float = 0.125
    margin: float = 4.5
    stamps: float = 3.0
    tau: float = 0.5
    lr: float = 0.008
    moved: float = 0.002
    batch: int = 64
    momentum: float = 0.9
    weight_decay: float = 1e-4
    epochs: int = 8
    anneal: int = 120
    holdout: float = 0.1
    check_every: int = 5
    gone: float = 3.0
    restarts: int = 2
    rounds: int = 1
    most_drop: float = 2.0


@dataclass(frozen=True)
class PublishedSettings:
    """The authors' loss and schedule.

    Args:
        contrast: weight of the loss.
        tau: its temperature.
        lr: learning rates, one for each entry of ``lr_epochs``.
        lr_epochs: the epoch from which each rate is used, counted from 0.
        epochs: passes over the clean budget.
        batch: images per step.
        momentum, weight_decay: of SGD.
        most_drop: largest loss of BA, percentage points, with which a purified model is written; 0: no limit.
    """

    restarts: ClassVar[int] = 0  # one trigger is used
    ABOVE_0: ClassVar[tuple[str, ...]] = ("tau", "epochs", "batch")
    BELOW_1: ClassVar[tuple[str, ...]] = ("momentum",)
    contrast: float = 1.0
    tau: float = 0.5
    lr: tuple[float, ...] = (0.1, 0.01, 0.001)
    lr_epochs: tuple[int, ...] = (0, 1, 10)
    epochs: int = 20
    batch: int = 64
    momentum: float = 0.9
    weight_decay: float = 1e-4
    most_drop: float = 0.0
