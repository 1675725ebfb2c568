"""The figures of a model: benign accuracy and attack success rate."""

from __future__ import annotations

from torch import Tensor

from core.errors import BadInput


def benign_accuracy(predictions: Tensor, labels: Tensor, leave_out: int | None = None) -> float:
    """Share of clean images answered with their own class, in percent.

    Args:
        predictions, labels: (n,), integer classes.
        leave_out: a class whose images are not counted; the authors of MCL leave the target class out.

    Raises:
        BadInput: ``no_clean_images`` if no image is left to count.
    """
    right = predictions == labels
    if leave_out is not None:
        right = right[labels != leave_out]
    if len(right) == 0:
        but = "" if leave_out is None else f" of a class other than {leave_out}"
        raise BadInput("no_clean_images", f"Accuracy needs at least one clean image{but}, and there is none.")
    return 100.0 * right.cpu().double().mean().item()  # MPS has no float64


def attack_success_rate(predictions: Tensor, labels: Tensor, target: int) -> float:
    """Share of triggered images answered with the target class, in percent.

    Images whose true class is the target are left out (BackdoorBench; Wu et al., NeurIPS 2022): the answer says
    nothing about them. Whether the figure is the true or an estimated ASR depends on the trigger the caller used.

    Args:
        predictions: (n,), answers to triggered images. labels: (n,), true classes of those images.
        target: the attack's class.

    Raises:
        BadInput: ``no_triggered_images`` if all images are of the target class, or there are none.
    """
    hit = predictions[labels != target] == target
    if len(hit) == 0:
        raise BadInput(
            "no_triggered_images",
            f"The attack success rate needs at least one triggered image of a class other than the target ({target}), "
            "and there is none.",
            target=int(target),
        )
    return 100.0 * hit.cpu().double().mean().item()
