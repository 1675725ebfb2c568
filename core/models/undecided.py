"""Whether the clean images tell apart the ways in which one file of weights may be read.

Several mappings of a look-alike (``core.models.look_alike``), or several numbers of attention heads
(``core.models.vit``), fit the same tensors, and one wrong would be purified as another function than the user's. So the
one that is taken must answer better than each other beyond chance, image by image: by the cross-entropy, or, where that
does not tell, by its logarithm, so that each image counts alike. (A network that is sure of nearly all has its mean
loss from the few it is wrong on.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import BadInput
from core.models.balance import are_unequal, pick, weights
from core.models.evaluate import features_and_logits
from core.models.identify import Candidate
from core.models.inputs import Choice, Tried, make

MOST_LOSS, LEAST_LOSS = 50.0, 1e-6  # of one image
MIN_ERRORS = 3.0  # standard errors that the mean difference of two ways' losses must lie above zero


def family(arch: str) -> str:
    """What the ways to read one file share: the name without mark and heads."""
    return re.sub(r"^(vit-.*)-h\d+", r"\1", arch.partition("~")[0])


def decided(choice: Choice, fits: Sequence[Candidate], x: Tensor, y: Tensor, device: torch.device) -> Choice:
    """``choice``, or the better way to read the same tensors that fell out early on few images.

    Args:
        fits: what there was to choose from. x, y: clean training images, uint8 (n, 3, h, w), and their classes (n,).

    Raises:
        BadInput: ``look_alike_undecided``.
    """
    chosen = choice.candidate
    rivals = [fit for fit in fits if fit.arch != chosen.arch and family(fit.arch) == family(chosen.arch)]
    if not rivals:
        return choice
    unequal = are_unequal(y)
    kept = pick(y, choice.tried[0].images, unequal)
    x, y = x[kept], y[kept].cpu()
    ways = [chosen, *rivals]
    losses: list[Tensor] = []
    rights: list[float] = []
    for way in ways:
        model = make(way, choice.inputs).on(device)
        logits = features_and_logits(model, x)[1].float().cpu()
        losses.append(F.cross_entropy(logits, y, reduction="none").nan_to_num(MOST_LOSS).clamp(LEAST_LOSS, MOST_LOSS))
        rights.append(100 * float((weights(y, unequal) * (logits.argmax(1) == y)).sum()))
    everyone = range(len(ways))
    best = next((a for a in everyone if all(a == b or _beats(losses[a], losses[b]) for b in everyone)), None)
    if best is None:
        first, second = (ways[at].arch for at in sorted(everyone, key=lambda at: float(losses[at].mean()))[:2])
        raise BadInput(
            "look_alike_undecided",
            f"The weights can be read in {len(ways)} ways, and two of them, {first} and {second}, answer the {len(y)} "
            "clean images tried alike, so it is not known which is the network. Name one of them with --arch, give "
            "more images, or give your own class with --model-class FILE.py:CLASS.",
            ways=len(ways), first=first, second=second, images=len(y),
        )  # fmt: skip
    if best == 0:
        return choice
    winner = ways[best]
    tried = Tried(winner.arch, choice.inputs, round(rights[best], 2), round(float(losses[best].mean()), 4), len(y))
    others = (one for one in choice.tried if (one.arch, one.inputs) != (winner.arch, choice.inputs))
    return Choice(winner, choice.inputs, make(winner, choice.inputs), (tried, *others))


def _beats(loss: Tensor, other: Tensor) -> bool:
    """Whether a way with this ``loss`` of each image is better than another beyond chance; never both."""
    plain = _errors_above(other - loss)
    return plain >= MIN_ERRORS or (plain > -MIN_ERRORS and _errors_above(other.log() - loss.log()) >= MIN_ERRORS)


def _errors_above(difference: Tensor) -> float:
    """How many standard errors the mean lies above zero; 0 where all are the same."""
    error = float(difference.std()) / len(difference) ** 0.5
    return float(difference.mean()) / error if error > 0 else 0.0
