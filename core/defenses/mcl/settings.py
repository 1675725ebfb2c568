"""The settings of MCL, of the default and as published: loss weights and schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class MCLSettings:
    """What each part of the default weighs and how long it acts; a weight of 0 switches a part off.

    ``core.defenses.mcl.plan`` says what becomes of them with this network and these images.

    Args:
        contrast: weight of the model-contrastive loss (``core.defenses.mcl.contrast``).
        clean: weight of the cross-entropy of x with its label.
        supervised: weight of the cross-entropy of x_t with the label of x.
        keep: weight of the divergence of the answers on clean and mixed images from the victim's (distillation).
        mixed: share, 0-1, of the clean images that come mixed in pairs (``core.defenses.mcl.mixing``), at least.
        margin: added to the target's logit in the cross-entropy of x_t, so that a triggered image has to stay clear of
            the target and not only just outside (as for rare classes in LDAM, Cao et al., NeurIPS 2019).
        stamps: the same for random stamps (``core.triggers.stamps``), which act where the scan shows no trigger to
            trust.
        tau: temperature of the contrast.
        lr: learning rate, at most.
        moved: divergence, nats, by which the first step may move the answers on clean images: where it would move them
            further, the rate is lower (``core.training.rate``).
        batch: clean images a step; as many triggered ones go with them.
        momentum, weight_decay: of SGD.
        epochs: passes over the clean budget before the annealing begins, at most.
        anneal: steps in which the rate falls from ``lr`` to 0, once the attack is gone; the run ends with them.
        average: decay per step of the running average of the weights that becomes the result; 0 for none.
        holdout: share of the clean budget kept apart to guard BA and to see the attack go.
        check_every: steps between two looks at the held-out part.
        gone: estimated ASR, percent, at and below which the attack counts as gone.
        restarts: how many more times each trigger is reconstructed, from other starts (``core.scan.restarts``).
        rounds: how often, at most, the triggers that still work on the model as it is are reconstructed once the
            attack seems gone, and trained against as well.
        most_drop: BA, percentage points, that may be lost before nothing is handed out; 0: no guard.
    """

    contrast: float = 1.0
    clean: float = 1.0
    supervised: float = 1.0
    keep: float = 8.0
    mixed: float = 0.5
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
    average: float = 0.9
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
        lr: learning rates, one for each entry of ``lr_epochs``. lr_epochs: epochs from which they hold.
        epochs: passes over the clean budget.
        batch: images a step.
        momentum, weight_decay: of SGD.
        most_drop: BA, percentage points, that may be lost before nothing is handed out; 0: no guard.
    """

    restarts: ClassVar[int] = 0  # one trigger is used
    contrast: float = 1.0
    tau: float = 0.5
    lr: tuple[float, ...] = (0.1, 0.01, 0.001)
    lr_epochs: tuple[int, ...] = (0, 1, 10)
    epochs: int = 20
    batch: int = 64
    momentum: float = 0.9
    weight_decay: float = 1e-4
    most_drop: float = 0.0
