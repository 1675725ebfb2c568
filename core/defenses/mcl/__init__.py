"""MCL: model-contrastive learning purifies a backdoored classifier (arXiv 2205.04411, ACM MM 2023).

On arXiv the paper is called "Model-Contrastive Learning for Backdoor Defense", and its second version calls the method
MCLDef. Its first stage, trigger inversion, is ``core.scan``. Its second stage is here, to read in this order:

1. ``contrast``: the loss.
2. ``published``: the method as published, preset "published". Its steps are those of ``Training`` in
   ``core.training.loop``, which multiplies each loss term by the setting of the same name.
3. ``settings``: weights and schedule of both presets.
4. ``purifier``: preset "default", the same loss with further parts. ``plan`` adapts its settings to the network, the
   clean budget and the triggers, ``core.training.rate`` its learning rate.
5. The parts: ``batches`` (triggered and stamped images; the stamps are ``core.triggers.stamps``), ``mixing``,
   ``held_out``, ``rounds``, ``found_images``.

A 0 at the end of a name (``clean0``, ``logits0``) says that it is of the frozen victim, as f0 is in the paper. NOTES.md
beside this file has the reasons for the further parts, with figures. ``core.verify`` tests what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.defenses.mcl.settings import MCLSettings, PublishedSettings
from core.defenses.presets import from_preset
from core.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from core.defenses.mcl.published import Published
    from core.defenses.mcl.purifier import Purifier
    from core.models.classifier import Classifier
    from core.triggers.reconstructed import Reconstructed

PRESETS: dict[str, MCLSettings | PublishedSettings] = {"default": MCLSettings(), "published": PublishedSettings()}
ON_GTSRB = PublishedSettings(lr=(0.01, 0.001, 0.0001), lr_epochs=(0, 2, 10))


def settings_for(preset: str, data: str = "", **changes: Any) -> MCLSettings | PublishedSettings:
    """The settings of a preset with single values changed.

    ``published`` knows the schedule its authors used on GTSRB.

    Raises:
        BadInput: no such preset or setting, or a value the setting cannot have.
    """
    presets = dict(PRESETS)
    if data == "gtsrb":
        presets["published"] = ON_GTSRB
    settings = from_preset("MCL", presets, preset, **changes)
    if isinstance(settings, PublishedSettings):
        _check_schedule(settings)
    return settings


def _check_schedule(settings: PublishedSettings) -> None:
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


def make(
    victim: Classifier,
    images: Tensor,
    labels: Tensor,
    triggers: Sequence[Reconstructed],
    settings: MCLSettings | PublishedSettings,
    seed: int = 0,
) -> Published | Purifier:
    """The method as published or the default, by its settings; arguments as ``Purifier``."""
    # imported here: whoever reads the settings alone must not load torch
    from core.defenses.mcl.published import Published
    from core.defenses.mcl.purifier import Purifier

    if isinstance(settings, PublishedSettings):
        return Published(victim, images, labels, triggers, settings, seed)
    return Purifier(victim, images, labels, triggers, settings, seed)
