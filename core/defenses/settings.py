"""The settings of MCL: the published schedule, and our default."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.defenses.presets import from_preset
from core.errors import BadInput

PLENTY = 100  # clean images a class from which on they say enough


@dataclass(frozen=True)
class MCLSettings:
    """Loss weights and schedule.

    Args:
        contrast: weight of the model-contrastive loss (``core.defenses.mcl``).
        clean: weight of the cross-entropy of x with its label; down to a tenth with fewer than 100 images a class,
            and about half without batch norm (unless ``mix`` is 0).
        supervised: weight of the cross-entropy of x_t with the label of x.
        margin: added to the target class's logit in that cross-entropy, so that a triggered image has to stay clear
            of the target and not only just outside (as for rare classes in LDAM, Cao et al., NeurIPS 2019);
            times the trigger's own ``push``.
        stamps: the same for random stamps, which take the place of triggers where none is known (push 0), and come
            beside them where that is in doubt (push above 1): added to the logit of the class that the victim takes a
            stamped image for. 0: triggers alone, whatever their push.
        keep: weight of the divergence of the answers on x from the victim's; up to five times with fewer than 100
            images a class, at least three times without batch norm (unless ``mix`` is 0), and at least 1.5 times where
            no trigger is in doubt (push 1).
        mix: 1 if clean images are mixed in pairs where there are fewer than 100 a class, the more of them the fewer
            there are, save beside a trigger in doubt, and at least half of them in a network without batch norm; 0 if
            they come as they are.
        tau: temperature of the contrast.
        lr: learning rates, one for each entry of ``lr_epochs``.
        plain: they are so many times as high in a network without normalisation layers, whose weights' size counts.
        lr_epochs: epochs from which they hold.
        epochs: passes over the clean budget (at most, where ``mend`` is set).
        mend: with a held-out part: once the attack is gone, the rate falls from ``lr[0]`` to 0 within this many
            steps, and the run ends; up to three times as many with fewer than 100 images a class, at least twice as
            many against stamps, three times where layers normalise but not by batches. 0 for a fixed schedule.
        batch: clean images a step; as many triggered ones go with them.
        alike: 1 if the batches of an epoch are of one size; 0 if they are full but for the last, as the authors'.
        momentum, weight_decay: of SGD.
        average: decay per step of the running average of the weights that becomes the result; 0 for none.
        holdout: share of the clean budget kept apart to guard BA and to see the attack go; 0 for none.
        check_every: steps between two looks at the held-out part.
        triggers: how many reconstructed triggers, each of another form, are used at once, at most.
        again: how many more times each of them is reconstructed, from other starts, where the signs are strong and
            clean images fewer than ``PLENTY`` a class.
        gone: estimated ASR, percent, at and below which the attack counts as gone.
        back: share of the victim's own weights, 0-1, in the result: a step back on the straight way to the purified
            model, on which BA returns before the attack does (WiSE-FT, Wortsman et al., CVPR 2022).
        most_drop: BA, percentage points, that may be lost; the step back grows while the test images lose more, as
            long as the attack stays gone. 0: no guard.
    """

    contrast: float = 1.0
    clean: float = 1.0
    supervised: float = 1.0
    margin: float = 4.5
    stamps: float = 3.0
    keep: float = 1.0
    mix: int = 1
    tau: float = 0.5
    lr: tuple[float, ...] = (0.008,)
    plain: float = 0.1
    lr_epochs: tuple[int, ...] = (0,)
    epochs: int = 8
    mend: int = 45
    batch: int = 128
    alike: int = 1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    average: float = 0.9
    holdout: float = 0.1
    check_every: int = 5
    triggers: int = 3
    again: int = 2
    gone: float = 3.0
    back: float = 0.05
    most_drop: float = 2.0


PRESETS: dict[str, MCLSettings] = {
    "default": MCLSettings(),
    "published": MCLSettings(
        clean=0.0,
        supervised=0.0,
        margin=0.0,
        stamps=0.0,
        triggers=1,
        again=0,
        keep=0.0,
        mix=0,
        plain=1.0,
        batch=64,
        alike=0,
        lr=(0.1, 0.01, 0.001),
        lr_epochs=(0, 1, 10),
        epochs=20,
        mend=0,
        average=0.0,
        holdout=0.0,
        back=0.0,
        most_drop=0.0,
    ),
}


def settings_for(preset: str, data: str = "", **changes: Any) -> MCLSettings:
    """The settings of a preset with single values changed.

    ``published`` knows the schedule its authors used on GTSRB.

    Raises:
        BadInput: no such preset or setting, or a value the setting cannot have.
    """
    settings = from_preset("MCL", PRESETS, preset)
    if preset == "published" and data == "gtsrb":
        settings = replace(settings, lr=(0.01, 0.001, 0.0001), lr_epochs=(0, 2, 10))
    settings = from_preset("MCL", {**PRESETS, preset: settings}, preset, **changes)
    if len(settings.lr) != len(settings.lr_epochs):
        raise BadInput(
            "lr_epochs",
            f"There are {len(settings.lr)} learning rates and {len(settings.lr_epochs)} epochs from which they hold; "
            "give as many of one as of the other.",
            rates=len(settings.lr), epochs=len(settings.lr_epochs),
        )  # fmt: skip
    if settings.lr_epochs[0] != 0 or list(settings.lr_epochs) != sorted(settings.lr_epochs):
        raise BadInput(
            "bad_setting",
            f"The setting lr_epochs must begin with 0 and rise, which {settings.lr_epochs} does not.",
            name="lr_epochs", value=str(settings.lr_epochs),
        )  # fmt: skip
    return settings
