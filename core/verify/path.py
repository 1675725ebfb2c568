"""The straight line from a purified model back to its victim, and how soon the attack returns on it.

A model that was purified only on the surface lies close to its victim: a few steps along the line between their weights
bring the attack back (Min et al., "Uncovering, Explaining, and Mitigating the Superficial Safety of Backdoor Defense",
NeurIPS 2024, section 3.2, linear mode connectivity).
"""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.training.batchnorm import take_anew

SHARES = (0.1, 0.2, 0.3, 0.5)  # of the way back
STATISTICS = 500  # clean images for batch norm, whose statistics do not lie on a line


def on_the_way(victim: Classifier, purified: Classifier, share: float, images: Tensor) -> Classifier:
    """The model a ``share`` of the way back, 0-1, in evaluation mode.

    Args:
        victim, purified: the ends; not changed.
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
    take_anew(model, as_float(images[:STATISTICS].to(model.mean.device)))
    return model
