"""Loads the purified model of a run from the weights that it wrote."""

from __future__ import annotations

from dataclasses import replace

from core.data.imageset import ImageSet
from core.engine.subject import load_subject
from core.models.classifier import Classifier
from core.models.weights import classifier, read_weights
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import card_of


def purified(run: Run, images: ImageSet) -> Classifier | None:
    """The purified model on the CPU; None if there are no weights. They have the names of the victim's tensors.

    Raises:
        BadInput: as ``core.models.weights.read_weights`` and ``core.engine.subject.load_subject``.
    """
    path = hashes.purified_file(run)
    if not path.exists():
        return None
    if run.spec.victim:
        card = card_of(run.spec.victim)
        return classifier(read_weights(path), card.arch, card.classes, card.mean, card.std)
    return load_subject(replace(as_found(run), weights=str(path)), images).model


def as_found(run: Run) -> Spec:
    """The order of a run with the network and the input scaling that it found, where its result names them."""
    told = run.snapshot()
    spec, result = told.spec, told.result
    if spec.victim:
        return spec
    arch = spec.arch or result.get("arch")
    return replace(
        spec, arch=None if spec.model_class else arch, normalize=result.get("normalize") or spec.normalize
    )  # fmt: skip
