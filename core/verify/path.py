"""Linear interpolation between the weights of a purified model and of its victim.

A superficially purified model lies close to its victim: interpolated models a short way towards the victim have the
attack again (Min et al., "Uncovering, Explaining, and Mitigating the Superficial Safety of Backdoor Defense", NeurIPS
2024, section 3.2, linear mode connectivity).
"""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.training.batchnorm import recompute_statistics

SHARES = (0.1, 0.2, 0.3, 0.5)  # of the way from the purified model to the victim
STATISTICS_IMAGES = 500  # clean images for batch-norm statistics, which cannot be interpolated


def interpolated(victim: Classifier, purified: Classifier, share: float, images: Tensor) -> Classifier:
    """The model with the weights ``(1 - share) * purified + share * victim``, in evaluation mode.

    Args:
        victim, purified: not changed.
        share: 0-1.
        images: clean, uint8 or float, (n, 3, h, w), for the statistics of batch norm.
    """
    model = deepcopy(purified)
    before = victim.net.state_dict()
    model.net.load_state_dict(
        {
            name: value.lerp(before[name].to(value), share) if value.is_floating_point() else value
            for name, value in purified.net.state_dict().items()
        }
    )
    model.eval()
    recompute_statistics(model, as_float(images[:STATISTICS_IMAGES].to(model.mean.device)))
    return model
