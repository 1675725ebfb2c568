"""Saliency of one image with the trigger, before and after purification, for pages and report: a few kB in the run.

``python -m core.engine.looks RUN RECORDING`` computes it from the weights that a run keeps and writes it into a
recording of the same order, which keeps none. The hashes tell whether these are the weights of the recording's own run;
if they are not, ``repeated`` is set.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from core.data.imageset import ImageSet, as_float
from core.engine.state import State
from core.models.attribution import attribution
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.runs.arrays import Looks
from core.runs.record import Run

MAX_TRIED = 250  # test images that are tried with the trigger
CANDIDATES, TYPICAL = 7, 3  # misled images whose attribution is computed; of these, those of median share
MIN_CHANGE = 0.1  # of the range of a colour: a pixel that changes by more belongs to the trigger
MAX_AREA = 25.0  # percent of the picture: for a trigger that covers more, a share on it says nothing
MAX_SIDE = 128  # pixels, of the stored pictures


def write(state: State, purified: Classifier | None) -> None:
    """Writes ``looks.npz`` if there is a trigger that misleads the model, and the images may be stored.

    For a model of unknown attack that is the reconstructed trigger, provided that the scan shows a sign of a backdoor.

    Args:
        purified: None if the model was only scanned.
    """
    found = state.context.subject.trigger is not None or (state.scanned is not None and state.scanned.verdict != "none")
    if not found or not (state.context.images.own or state.context.spec.weights):
        return
    models = [model for model in (state.context.subject.model, purified) if model is not None]
    made = look(
        models, state.context.images, state.trigger, state.attack_target, state.context.subject.trigger is not None
    )
    if made is not None:
        state.context.run.write_looks(made)


def look(
    models: list[Classifier], images: ImageSet, trigger: Callable[[Tensor], Tensor], target: int, real: bool
) -> Looks | None:
    """The image and the saliency of each model in it; None if the trigger misleads the first model in no image.

    The image is chosen by the victim's attributions alone, and is no extreme. ``CANDIDATES`` test images are spread
    over those that the victim reads correctly, and as the target with the trigger. Of these, the ``TYPICAL`` ones in
    the middle by their share on the trigger are left, and the one with the most contrast is shown.

    Args:
        models: the victim and, if there is one, the purified model.
        trigger: called with float images, returns them with the trigger. real: whether it is the attacker's own.
    """
    victim = models[0]
    device = victim.mean.device
    away = torch.nonzero(images.y_test != target).flatten()
    away = away[:: max(1, -(-len(away) // MAX_TRIED))]
    clean, misled = (answers(victim, images.x_test[away], how).cpu() for how in (None, trigger))
    fooled = away[(clean == images.y_test[away]) & (misled == target)]
    if not len(fooled):
        return None
    chosen = fooled[torch.linspace(0, len(fooled) - 1, CANDIDATES).round().long().unique()]
    plain = as_float(images.x_test[chosen].to(device))
    x = trigger(plain)
    marked = (x - plain).abs().amax(1) > MIN_CHANGE
    area = 100 * marked.flatten(1).float().mean(1)
    found = attribution(victim, x, torch.full((len(x),), target, device=device))
    shares = _share(found, marked)
    start = max(0, (len(shares) - TYPICAL) // 2)
    typical = shares.nan_to_num().argsort()[start : start + TYPICAL]
    middle = int(typical[plain[typical].flatten(1).std(1).argmax()])
    one = x[middle : middle + 1]
    told, maps, on = [target], [found[middle]], [float(shares[middle])]
    for model in models[1:]:
        answer = answers(model, one)
        seen = attribution(model, one, answer.to(device))
        told, maps = [*told, int(answer)], [*maps, seen[0]]
        on.append(float(_share(seen, marked[middle : middle + 1])[0]))
    measurable = float(area[middle]) <= MAX_AREA
    return Looks(
        picture=_small(one[0].permute(1, 2, 0).mul(255).round().to(torch.uint8).cpu().numpy()),
        heat=np.stack([_small(_strength(one)) for one in maps]),
        answers=np.array(told, np.int32),
        share=np.array(on if measurable else [np.nan] * len(on), np.float32),
        label=np.array(int(images.y_test[chosen[middle]]), np.int32),
        target=np.array(target, np.int32),
        area=np.array(float(area[middle]), np.float32),
        real=np.array(real),
        repeated=np.array(False),
    )


def _share(found: Tensor, marked: Tensor) -> Tensor:
    """Percent of the positive attribution, (n, h, w), that lies on marked pixels, bool (n, h, w): (n,)."""
    positive = found.clamp(min=0)
    return 100 * (positive * marked).sum((1, 2)) / positive.sum((1, 2))


def _strength(found: Tensor) -> np.ndarray:
    """The positive attribution, (h, w), as uint8 in proportion: a trigger of a few pixels outweighs all others."""
    positive = found.clamp(min=0)
    strength: np.ndarray = (255 * positive / positive.max().clamp(min=1e-12)).round().to(torch.uint8).cpu().numpy()
    return strength


def _small(pixels: np.ndarray) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3), no side longer than ``MAX_SIDE``."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(image)


def record(run: Run, recording: Run) -> Looks | None:
    """Writes the picture of a run of a shipped victim into a recording of the same order.

    Raises:
        BadInput: as ``core.engine.subject.load_subject`` and ``core.engine.purified.purified``.
    """
    from core.data import load
    from core.engine.purified import purified
    from core.engine.subject import load_subject
    from core.runs.hashes import outputs

    images = load(run.spec.images)
    subject = load_subject(run.spec, images)
    assert subject.card is not None
    assert subject.trigger is not None
    models = [model for model in (subject.model, purified(run, images)) if model is not None]
    made = look(models, images, subject.trigger, subject.card.target, real=True)
    if made is not None:
        handed_out = outputs(run).get("model.safetensors"), outputs(recording).get("model.safetensors")
        made = made._replace(repeated=np.array(handed_out[0] != handed_out[1]))
        recording.write_looks(made)
    return made


if __name__ == "__main__":
    record(Run(sys.argv[1]), Run(sys.argv[2]))
