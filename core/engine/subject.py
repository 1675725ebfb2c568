"""The model under examination: a shipped victim, or the user's file of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.attacks.trigger import Trigger
from core.compute.device import choose as choose_device
from core.data.imageset import ImageSet
from core.data.inputs import Inputs
from core.errors import BadInput
from core.found import Found
from core.models.balance import are_unequal, pick, weights
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.identify import Candidate, candidates, named
from core.models.inputs import Choice, Tried, choose, make, usual
from core.models.look_alike import look_alikes
from core.models.onnx.candidate import ARCH, graph_candidate
from core.models.own_class import own_candidate
from core.models.undecided import decided
from core.models.weights import Weights, classifier, read_weights
from core.runs.spec import Spec
from core.victims import Card, card_of, trigger_of

RENUMBERED = 50.0  # percent right under another order of classes, from which on that is reported


@dataclass(frozen=True)
class Subject:
    """The model under examination.

    ``normalize``: the scaling, with size and colour, as ``--normalize`` takes it; of a victim, the name of its images.
    ``card`` and ``trigger`` are None unless it is a shipped victim: the attack, if any, is unknown.
    ``accuracy``: of the chosen network and scaling on clean training images, percent; None for a victim.
    ``tried``: every network and scaling that was tried, the best first. ``found``: findings about the
    file. ``moved``: how far the batch-norm statistics of the file lie from those of clean images, octaves, where they
    are replaced (``core.engine.statistics``); else None.
    """

    model: Classifier
    weights: Weights
    arch: str
    normalize: str
    card: Card | None = None
    trigger: Trigger | None = None
    accuracy: float | None = None
    tried: tuple[Tried, ...] = ()
    found: tuple[Found, ...] = ()
    moved: float | None = None


def load_subject(spec: Spec, images: ImageSet) -> Subject:
    """The model that ``spec`` names, on the CPU, in evaluation mode.

    Raises:
        BadInput: the weights cannot be read, fit no network, have another number of classes than the images, or
            answer no better than chance (``near_chance``) or in another order of classes (``classes_renumbered``,
            ``classes_sorted_as_text``).
    """
    card = card_of(spec.victim) if spec.victim else None
    weights = read_weights(card.weights if card else str(spec.weights))
    if card:
        _same_classes(card.classes, images)
        model = classifier(weights, card.arch, card.classes, card.mean, card.std)
        trigger = trigger_of(card, images.size)
        return Subject(model, weights, card.arch, card.data, card, trigger, found=(*weights.found, *images.notes))
    choice = recognise(spec, networks(spec, weights, images), images)
    if not is_specified(spec):
        check_answers(choice, images)
    best = choice.tried[0]
    found = (*choice.candidate.weights.found, *choice.candidate.found, *images.notes)
    return Subject(
        choice.model, choice.candidate.weights, choice.candidate.arch, choice.inputs.name, accuracy=best.accuracy,
        tried=choice.tried, found=found,
    )  # fmt: skip


def networks(spec: Spec, weights: Weights, images: ImageSet) -> list[Candidate]:
    """Networks that fit the weights and the images' classes; one if the user named it.

    Raises:
        BadInput: as ``load_subject``.
    """
    if spec.model_class:
        fits = [own_candidate(spec.model_class, weights, images.num_classes)]
    elif weights.graph is not None and spec.arch in (None, ARCH):
        fits = [graph_candidate(weights, images.size)]
    elif spec.arch:
        fits = _by_name(spec.arch, weights, images.num_classes)
    else:
        fits = candidates(weights, min(images.size))
    right = [candidate for candidate in fits if candidate.classes == images.num_classes]
    if not right:
        _same_classes(fits[0].classes, images)
    return right


def _by_name(arch: str, weights: Weights, classes: int) -> list[Candidate]:
    """The network that the user named, or each way to read it where the file has other names for its tensors."""
    try:
        return [named(arch, weights, classes)]
    except BadInput as error:
        fits = look_alikes(weights, arch, classes)
        if not fits:
            raise error
        return fits


def recognise(spec: Spec, fits: list[Candidate], images: ImageSet) -> Choice:
    """The one of ``fits``, and the input scaling, under which the clean training images are answered best.

    Raises:
        BadInput: ``size_does_not_fit``, ``no_linear_layer``, ``no_logits`` or ``look_alike_undecided``.
    """
    given = Inputs.parse(spec.normalize) if spec.normalize else None
    try:
        device = choose_device(spec.device)
        choice = choose(fits, images.x_train, images.y_train, given, device)
        choice = decided(choice, fits, images.x_train, images.y_train, device)
    except BadInput:  # of the network, whatever the size
        raise
    except ValueError as error:
        raise BadInput(
            "size_does_not_fit",
            f"The network {fits[0].arch} cannot take images of {images.size[0]} x {images.size[1]} pixels; give the "
            "size it was trained on with --normalize, for example none@32.",
            arch=fits[0].arch, height=images.size[0], width=images.size[1],
        ) from error  # fmt: skip
    choice.model.to("cpu")
    return choice


def is_specified(spec: Spec) -> bool:
    """Whether the user named both network and input scaling; these are then used without a check of the answers."""
    return bool(spec.normalize and (spec.arch or spec.model_class))


def _same_classes(classes: int, images: ImageSet) -> None:
    if classes == images.num_classes:
        return
    text = f"The model has {classes} classes and the images {images.name} have {images.num_classes}"
    if any(note.code == "below" for note in images.notes):
        raise BadInput(
            "model_classes_below",
            f"{text}. Some class folders have folders inside them, whose images were counted as the outer class's. If "
            "the inner folders are the classes, give a folder that has all of them directly inside it.",
            model=classes, images=images.num_classes, name=images.name,
        )  # fmt: skip
    raise BadInput(
        "model_classes_differ",
        f"{text}; give images of the classes the model was trained on.",
        model=classes, images=images.num_classes, name=images.name,
    )  # fmt: skip


def check_answers(choice: Choice, images: ImageSet) -> None:
    """Refuses a model whose answers to the images are near chance, since every later figure would be meaningless.

    Raises:
        BadInput: ``near_chance``, ``classes_sorted_as_text`` or ``classes_renumbered``.
    """
    best = choice.tried[0]
    unequal, most = are_unequal(images.y_train), max(500, 10 * images.num_classes)
    chosen = pick(images.y_train, most, True)  # classes that take turns have every n-th image of one class
    labels = images.y_train[chosen]
    weight = weights(labels, unequal)
    chance = torch.zeros(images.num_classes, dtype=torch.float64).index_add_(0, labels, weight).max().item()
    least = 100 * (chance + max(0.02, 3 * (chance * (1 - chance) / best.judged) ** 0.5))
    if best.accuracy >= max(least, RENUMBERED):
        return
    predicted = _most_consistent_answers(choice, images, chosen)
    as_given = 100 * (weight * (predicted.cpu() == labels.cpu())).sum().item()
    more = max(RENUMBERED, 1.5 * best.accuracy, 1.5 * as_given)
    as_text = sorted_as_text(images.class_names)[labels]
    sorted_right = 100 * (weight * (predicted.cpu() == as_text.cpu())).sum().item()
    numbers = all(name.isdecimal() for name in images.class_names)
    if numbers and sorted_right >= more:
        raise BadInput(
            "classes_sorted_as_text",
            "The model numbers these classes as their names are sorted as text (1, 10, 2), as torchvision's "
            f"ImageFolder does: {best.accuracy:.0f} % right with the numbers sorted as numbers (1, 2, 10), "
            f"{sorted_right:.0f} % in the order of text. Put the same letter before the name of every class folder "
            "(c1, c2, c10), which are then sorted as text, or renumber the labels.",
            accuracy=round(best.accuracy, 1), renumbered=round(sorted_right, 1),
        )  # fmt: skip
    right, order = renumbered(predicted, labels, images.num_classes, weight)
    if right >= more:
        moved = [(images.class_names[k], int(order[k])) for k in range(images.num_classes) if order[k] != k][:5]
        pairs = ", ".join(f"{name} is its class {number}" for name, number in moved)
        raise BadInput(
            "classes_renumbered",
            f"The model knows these images, but numbers the classes in another order: {best.accuracy:.0f} % right as "
            f"the images are sorted, {right:.0f} % with the classes renumbered ({pairs}). Rename the class folders "
            "or renumber the labels, so that their order is that of training: folders are sorted by name, and by "
            "number where all names are numbers (01, 02, ... sort alike either way).",
            accuracy=round(best.accuracy, 1), renumbered=round(right, 1), pairs=pairs,
        )  # fmt: skip
    if best.accuracy < least:
        raise BadInput(
            "near_chance",
            f"The best the network {best.arch} does on the clean images is {best.accuracy:.1f} % right"
            f"{_by_class(unequal)} (input scaling {best.name}), no better than guessing. Check that the images are of "
            "the classes it was trained on, in the same order (folders are sorted by name, or by number where all "
            "names are numbers); or name its network with --arch or --model-class, and its input scaling with "
            "--normalize.",
            arch=best.arch, accuracy=round(best.accuracy, 1), normalize=best.name,
        )  # fmt: skip


def _by_class(unequal: bool) -> str:
    return ", the mean over the classes" if unequal else ""


def _most_consistent_answers(choice: Choice, images: ImageSet, chosen: Tensor) -> Tensor:
    """The network's answers under the input scaling with the best accuracy after the best renumbering of classes.

    With another order of classes, accuracy itself would choose among scalings and sizes by chance.
    """
    labels, x = images.y_train[chosen], images.x_train[chosen]
    weight = weights(labels, are_unequal(images.y_train))
    models = [choice.model]
    if choice.candidate.channels == 3:
        models += [make(choice.candidate, inputs) for inputs in usual(choice.candidate, x)]
    predictions = [answers(model, x) for model in models]
    return max(predictions, key=lambda predicted: renumbered(predicted, labels, images.num_classes, weight)[0])


def sorted_as_text(names: Sequence[str]) -> Tensor:
    """The number that each class would have with the names sorted as text, int64 (classes,)."""
    order = sorted(range(len(names)), key=lambda k: names[k])
    return torch.tensor(order).argsort()


def renumbered(predicted: Tensor, labels: Tensor, classes: int, weight: Tensor | None = None) -> tuple[float, Tensor]:
    """The one-to-one renumbering of classes under which most answers are right, and how many that are.

    Args:
        predicted, labels: (n,), classes.
        weight: what each image counts for, float64 (n,), the sum 1; all the same by default.

    Returns:
        percent right; and for each class of the images, the model's number for it, int64 (classes,).
    """
    from scipy.optimize import linear_sum_assignment

    weight = weights(labels, balanced=False) if weight is None else weight
    pairs = torch.zeros(classes, classes, dtype=torch.float64)
    pairs.index_put_((labels.cpu(), predicted.cpu()), weight.cpu(), accumulate=True)
    _, columns = linear_sum_assignment(-pairs.numpy())
    order = torch.as_tensor(columns)
    return 100 * pairs[torch.arange(classes), order].sum().item(), order
