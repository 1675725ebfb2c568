"""Batches of MCL's default: margins, and the victim's answers without the backdoor's part."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.defenses.mcl.batches import joined, margins, with_stamps, with_triggers, without_targets
from core.triggers.stamps import KINDS
from tests.core.tiny import Tiny


def test_a_margin_is_added_to_the_given_class_but_never_to_the_images_own() -> None:
    found = margins(torch.tensor([2, 2, 0]), torch.tensor([1, 2, 3]), 4.5, 4)
    assert found.tolist() == [[0, 0, 4.5, 0], [0, 0, 0, 0], [4.5, 0, 0, 0]]


def test_the_targets_logit_is_lowered_to_the_next_largest_on_images_of_other_classes() -> None:
    logits = torch.tensor([[1.0, 9.0, 3.0], [1.0, 9.0, 3.0], [5.0, 2.0, 3.0], [1.0, 9.0, 3.0]])
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    found = without_targets(logits, labels, [1])
    assert found.tolist() == [[1, 3, 3], [1, 9, 3], [5, 2, 3], [1, 9, 3]], "images of the target, wholly or half, stay"
    assert logits[0, 1] == 9


def test_with_two_targets_neither_stays_for_the_other_but_the_images_own() -> None:
    logits = torch.tensor([[1.0, 9.0, 8.0, 2.0], [1.0, 9.0, 8.0, 2.0], [1.0, 9.0, 8.0, 2.0]])
    labels = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    found = without_targets(logits, labels, [1, 2])
    assert found.tolist() == [[1, 2, 2, 2], [1, 8, 8, 2], [1, 9, 8, 2]]


def test_each_triggered_image_is_kept_from_the_target_of_its_own_trigger(tiny: Tiny) -> None:
    x, y = tiny.x.float() / 255, tiny.y
    other = replace(tiny.aimed, pattern=1 - tiny.aimed.pattern, target=7)
    made = with_triggers(tiny.model, [tiny.aimed, other], x, y, 2.0, torch.Generator().manual_seed(0))
    seen = set()
    for image, clean, label, margin in zip(made.images, x, y.tolist(), made.margins, strict=True):
        (carried,) = (one for one in (tiny.aimed, other) if torch.equal(image, one(clean[None])[0]))
        seen.add(carried.target)
        assert margin.tolist() == [2.0 * (k == carried.target != label) for k in range(10)]
    assert seen == {tiny.target, 7}


def test_attacked_images_come_with_the_victims_features_of_them(tiny: Tiny) -> None:
    x, y = tiny.x[:6].float() / 255, tiny.y[:6]
    triggered = with_triggers(tiny.model, [tiny.aimed], x, y, 2.0, torch.Generator().manual_seed(0))
    assert torch.equal(triggered.images, tiny.aimed(x))
    with torch.no_grad():
        features, _ = tiny.model.features_and_logits(triggered.images)
    torch.testing.assert_close(triggered.features0, features, atol=1e-4, rtol=1e-4)
    assert triggered.margins[:, tiny.target].tolist() == [2.0 * (label != tiny.target) for label in y.tolist()]

    shares = torch.ones(len(KINDS)) / len(KINDS)
    marked = with_stamps(tiny.model, shares, x, y, 3.0, torch.Generator().manual_seed(0))
    with torch.no_grad():
        answered = tiny.model(marked.images).argmax(1)
    assert marked.margins.sum(1).tolist() == [3.0 * float(a != b) for a, b in zip(answered, y, strict=True)]
    both = joined([triggered, marked])
    assert [len(part) for part in both] == [12, 12, 12]
