"""The training set in the data room: its images in the order of the list, and, in the lab, which are poisoned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.attacks import IN_SETS, TRAINED_BY_ATTACKER, make_trigger
from core.attacks.poisoning import poison
from core.attacks.trigger import Trigger
from core.data import IMAGE_SETS, load
from core.data.imageset import ImageSet
from core.errors import BadInput
from core.found import Found

SHOWN = 5  # names of classes in a sentence
TRUSTED = 30  # test images per class of a named set that serve as trusted ones (Beatrix, section V-A)


@dataclass(frozen=True)
class TrainSet:
    """A set to be judged.

    A set that came without a test part is judged whole; a model is trained on 80 % of it, and the rest tells accuracy.

    Attributes:
        images: the set as it was read, for its names and scaling.
        x, y: every image that is judged, uint8 (n, 3, h, w), and its label, int64 (n,), in the order of the set.
        learnt: positions in ``x`` of the images that a model is trained on, int64, ascending.
        held_out: positions in ``x`` of the others; empty if the set has a test part of its own.
        files: the file of each image; "" where there is none.
        poisoned: bool (n,), where the truth is known.
        trigger, target: of the attack, where it is known.
        trusted: images known to be clean and their labels, apart from ``x``; there may be none.
        tested: positions in the set's own test part of the images that accuracy is measured on: those not trusted.
        warnings: what a reader of the list should know.
    """

    images: ImageSet
    x: Tensor
    y: Tensor
    learnt: Tensor
    held_out: Tensor
    files: tuple[str, ...]
    poisoned: Tensor | None
    trigger: Trigger | None
    target: int | None
    trusted: tuple[Tensor, Tensor]
    tested: Tensor
    warnings: tuple[Found, ...]

    def test(self, flagged: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels that accuracy is measured on; those flagged are left out where the set has no test part."""
        if not len(self.held_out):
            return self.images.x_test[self.tested], self.images.y_test[self.tested]
        kept = self.held_out[~flagged[self.held_out]]
        return self.x[kept], self.y[kept]


def read(
    name: str,
    *,
    attack: str = "",
    attack_settings: dict[str, Any] | None = None,
    target: int = 0,
    rate: float = 0.1,
    trusted: str = "",
    most: int = 0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> TrainSet:
    """The set of that name or at that path (``core.data.load``), in the lab with poison in it.

    Args:
        attack: poisons the training part of a named set, so that the truth is known; "": it is taken as it is.
        target, rate: of the attack.
        trusted: another set with classes of the same names, all of whose images are known to be clean; of a poisoned
            set, some of its test part are.
        most: takes so many training images of a named set at most, as ``first_of_each``; 0: all.
        seed: of the split, the poisoning and the choice.

    Raises:
        BadInput: as ``core.data.load`` and ``core.attacks``; ``poison_of_own``, ``target_out_of_range``,
            ``attack_trains``, ``trusted_differs`` or ``trusted_names``.
    """
    images = load(name, seed=seed, progress=progress)
    if attack and name not in IMAGE_SETS:
        raise BadInput(
            "poison_of_own",
            f"Only a set of Dissolve ({', '.join(IMAGE_SETS)}) is poisoned in the lab; {name} is judged as it is, "
            "so leave --poison.",
            name=name, known=", ".join(IMAGE_SETS),
        )  # fmt: skip
    x, y, learnt, held_out, taken = _in_order(images, most if name in IMAGE_SETS else 0)
    poisoned = trigger = None
    if attack:
        if not 0 <= target < images.num_classes:
            raise BadInput(
                "target_out_of_range",
                f"The target class {target} must be from 0 to {images.num_classes - 1}.",
                target=target, most=images.num_classes - 1,
            )  # fmt: skip
        if attack in TRAINED_BY_ATTACKER:
            raise BadInput(
                "attack_trains",
                f"The attack {attack} needs an attacker who trains the network too, and in the data room the defender "
                f"trains; use one of {', '.join(IN_SETS)}.",
                attack=attack, allowed=", ".join(IN_SETS),
            )  # fmt: skip
        trigger = make_trigger(attack, images.size, **(attack_settings or {}))
        x, y, chosen = poison(x, y, trigger, target, rate, seed)
        poisoned = torch.zeros(len(x), dtype=torch.bool)
        poisoned[chosen] = True
    unnamed = str(Path(name)) if images.places else ""
    files = tuple(str(images.files[at]) if images.files else unnamed for at in taken.tolist())
    return TrainSet(
        images, x, y, learnt, held_out, files, poisoned, trigger, target if attack else None,
        *_trusted(images, trusted, bool(attack), seed), tuple(warnings(x, y)),
    )  # fmt: skip


def _in_order(images: ImageSet, most: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Images and labels in the order of the set, the positions to train on, those held out, and where the set has each.

    Args:
        most: of a set with a test part, this many training images at most; 0: all.
    """
    if images.places is None:
        x, y, taken = images.x_train, images.y_train, torch.arange(len(images.y_train))
        if most:
            taken = first_of_each(y, most)
            x, y = x[taken], y[taken]
        return x, y, torch.arange(len(x)), torch.zeros(0, dtype=torch.int64), taken
    learnt, held_out = images.places
    x = images.x_train.new_empty(len(learnt) + len(held_out), *images.x_train.shape[1:])
    y = images.y_train.new_empty(len(x))
    x[learnt], y[learnt] = images.x_train, images.y_train
    x[held_out], y[held_out] = images.x_test, images.y_test
    return x, y, learnt, held_out, torch.arange(len(x))


def first_of_each(labels: Tensor, count: int) -> Tensor:
    """Positions of the first images of each class, ``count`` in all, in the shares that the classes have; ascending.

    A set may be in the order of its classes, as GTSRB is: its first images would be of some classes only.
    """
    place = torch.zeros(len(labels))
    for one in labels.unique():
        members = torch.nonzero(labels == one).flatten()
        place[members] = torch.arange(len(members)) / len(members)
    return place.argsort(stable=True)[:count].sort().values


def _trusted(images: ImageSet, name: str, lab: bool, seed: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Trusted images and their labels, and the positions of the test images that are not among them."""
    tested = torch.ones(len(images.y_test), dtype=torch.bool)
    if name:
        other = load(name, seed=seed)
        if other.num_classes != images.num_classes or other.size != images.size:
            raise BadInput(
                "trusted_differs",
                f"The trusted images have {other.num_classes} classes of {other.size[0]} x {other.size[1]} pixels, and "
                f"the set has {images.num_classes} of {images.size[0]} x {images.size[1]}; give images of its kind.",
                classes=other.num_classes, height=other.size[0], width=other.size[1],
            )  # fmt: skip
        if set(other.class_names) != set(images.class_names):
            odd = ", ".join(sorted(set(other.class_names) ^ set(images.class_names))[:SHOWN])
            raise BadInput(
                "trusted_names",
                f"The trusted images {name} have other classes than the set (not in both: {odd}); name the class "
                "folders as the set does.",
                path=name, names=odd,
            )  # fmt: skip
        number = torch.tensor([images.class_names.index(one) for one in other.class_names])
        known = torch.cat([other.x_train, other.x_test]), number[torch.cat([other.y_train, other.y_test])]
        return known, torch.nonzero(tested).flatten()
    if not lab:
        return (images.x_test[:0], images.y_test[:0]), torch.nonzero(tested).flatten()
    places = [torch.nonzero(images.y_test == one).flatten()[:TRUSTED] for one in range(images.num_classes)]
    chosen = torch.cat(places)
    tested[chosen] = False
    return (images.x_test[chosen], images.y_test[chosen]), torch.nonzero(tested).flatten()


def warnings(x: Tensor, y: Tensor) -> list[Found]:
    """What is odd about a set before anything is judged: images that are there more than once."""
    pixels = [blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in x]
    times = Counter(pixels)
    again = len(pixels) - len(times)
    labels: dict[bytes, set[int]] = {}
    for content, label in zip(pixels, y.tolist(), strict=True):
        labels.setdefault(content, set()).add(label)
    unlike = sum(len(called) > 1 for called in labels.values())
    found = []
    if again:
        found.append(
            Found("room_duplicates", f"{again} images are there more than once; all are judged.", {"count": again})
        )
    if unlike:
        text = f"{unlike} images are there under more than one label, so that some of these labels are wrong."
        found.append(Found("room_two_labels", text, {"count": unlike}))
    return found
