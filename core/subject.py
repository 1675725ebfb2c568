"""The model under examination, from a shipped victim or from a stranger's file of weights."""

from __future__ import annotations

from dataclasses import dataclass

from core.attacks.trigger import Trigger
from core.data.imageset import ImageSet
from core.errors import BadInput
from core.metrics import benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import Weights, classifier, fitting_architecture, read_weights
from core.runs.spec import NORMALIZATIONS, Spec
from core.victims import Card, card_of, trigger_of


@dataclass(frozen=True)
class Subject:
    """What is examined.

    ``card`` and ``trigger`` are None for a stranger's model: its attack, if there is one, is unknown.
    """

    model: Classifier
    weights: Weights
    arch: str
    normalize: str
    card: Card | None = None
    trigger: Trigger | None = None


def load_subject(spec: Spec, images: ImageSet) -> Subject:
    """The model that ``spec`` names, on the CPU, in evaluation mode.

    Raises:
        BadInput: the weights cannot be read, fit no network, or have another number of classes than the images.
    """
    card = card_of(spec.victim) if spec.victim else None
    weights = read_weights(card.weights if card else str(spec.weights))
    if card:
        _same_classes(card.classes, images)
        model = classifier(weights, card.arch, card.classes, card.mean, card.std)
        return Subject(model, weights, card.arch, card.data, card, trigger_of(card, images.size))
    if spec.arch:
        arch, classes = spec.arch, images.num_classes
    else:
        arch, classes = fitting_architecture(weights)
        _same_classes(classes, images)
    name = spec.normalize or best_normalization(weights, arch, images)
    return Subject(classifier(weights, arch, classes, *NORMALIZATIONS[name]), weights, arch, name)


def _same_classes(classes: int, images: ImageSet) -> None:
    if classes != images.num_classes:
        raise BadInput(
            "classes_differ",
            f"The model has {classes} classes and the images {images.name} have {images.num_classes}; "
            "give images of the classes the model was trained on.",
            model=classes,
            images=images.num_classes,
            name=images.name,
        )


def best_normalization(weights: Weights, arch: str, images: ImageSet) -> str:
    """The usual input scaling under which the model answers most of up to 1,000 clean training images rightly."""
    x, y = (
        images.x_train[:: max(1, len(images.x_train) // 1000)],
        images.y_train[:: max(1, len(images.y_train) // 1000)],
    )
    scores = {
        name: benign_accuracy(answers(classifier(weights, arch, images.num_classes, *scaling), x), y)
        for name, scaling in NORMALIZATIONS.items()
    }
    return max(scores, key=lambda name: scores[name])
