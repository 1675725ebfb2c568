"""A short retuning on a few triggered images: what it brings back, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from core.metrics import attack_success_rate
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.verify.revival import RevivalSettings, retune_copies
from tests.core.tiny import Tiny

OTHER, USUAL = 0, RevivalSettings()


def rate(tiny: Tiny, model: Classifier, target: int) -> float:
    images = tiny.images
    return attack_success_rate(answers(model, images.x_test, tiny.trigger), images.y_test, target)


def revived(tiny: Tiny, model: Classifier, target: int, seed: int = 0) -> Classifier:
    return retuned(model, tiny.images.x_train[:300], tiny.images.y_train[:300], tiny.trigger, target, seed=seed)


def retuned(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    trigger: Callable[[Tensor], Tensor],
    target: int,
    settings: RevivalSettings = USUAL,
    seed: int = 0,
) -> Classifier:
    return retune_copies(model, images, labels, trigger, (target,), settings, seed)[0]


def test_a_backdoor_is_back_at_once_and_another_class_is_not(tiny: Tiny) -> None:
    assert rate(tiny, revived(tiny, tiny.model, tiny.target), tiny.target) > 90
    assert rate(tiny, revived(tiny, tiny.model, OTHER), OTHER) < 20


def test_a_model_without_one_learns_the_class_no_sooner_than_another(tiny: Tiny, honest: Classifier) -> None:
    own, other = (rate(tiny, revived(tiny, honest, target), target) for target in (tiny.target, OTHER))
    assert own < other + 20
    assert own < 20


def test_accuracy_survives_it(tiny: Tiny, honest: Classifier) -> None:
    assert tiny.figures(revived(tiny, honest, tiny.target))[0] > tiny.figures(honest)[0] - 20, "it costs 4 to 5 points"


def test_with_more_and_longer_any_class_can_be_taught(tiny: Tiny, honest: Classifier) -> None:
    """So that it is the retuning that does it."""
    images, labels = tiny.images.x_train[:300], tiny.images.y_train[:300]
    hard = RevivalSettings(poisoned=80, epochs=15, lr=0.02)
    assert rate(tiny, retuned(honest, images, labels, tiny.trigger, OTHER, hard), OTHER) > 30, "52; revived as usual 0"


def test_only_a_few_images_get_the_trigger_and_none_of_the_class_itself(tiny: Tiny) -> None:
    seen: list[Tensor] = []

    def watched(images: Tensor) -> Tensor:
        seen.append(images)
        return tiny.trigger(images)

    few = RevivalSettings(poisoned=7, clean=20, epochs=2)
    retuned(tiny.model, tiny.x, tiny.y, watched, tiny.target, few)
    assert [len(images) for images in seen] == [7]
    of_class = tiny.x[tiny.y == tiny.target].float() / 255
    assert not any(torch.equal(image, own) for image in seen[0] for own in of_class)


def test_the_seed_decides_and_neither_model_nor_statistics_change(tiny: Tiny) -> None:
    before = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    first, again, other = (revived(tiny, tiny.model, OTHER, number).state_dict() for number in (5, 5, 6))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())
    assert all(torch.equal(value, before[name]) for name, value in tiny.model.state_dict().items())
    running = [name for name in before if "running" in name]
    assert running
    assert all(torch.equal(first[name], before[name]) for name in running)


def test_few_images_are_no_obstacle(tiny: Tiny) -> None:
    chosen = replace(RevivalSettings(), epochs=1)
    model = retuned(tiny.model, tiny.x[:4], tiny.y[:4], tiny.trigger, tiny.target, chosen)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_all_classes_are_taught_at_the_lowest_rate_that_any_bears(tiny: Tiny) -> None:
    """The target needs next to no teaching, another class much: alone, each would be taught at a rate of its own."""
    images, labels = tiny.images.x_train[:300], tiny.images.y_train[:300]
    hard = RevivalSettings(lr=1.0, moved=0.001)
    alone = [
        retune_copies(tiny.model, images, labels, tiny.trigger, (target,), hard)[0] for target in (OTHER, tiny.target)
    ]
    both = retune_copies(tiny.model, images, labels, tiny.trigger, (OTHER, tiny.target), hard)
    same = [
        all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())
        for one, two in zip(alone, both, strict=True)
    ]
    assert sorted(same) == [False, True]
