from __future__ import annotations

import torch

from core.models.classifier import Classifier
from core.models.small import SmallNet
from core.scan.duration import expected_seconds, image_passes
from core.scan.inversion import InversionSettings


def test_images_that_go_through_are_counted() -> None:
    settings = InversionSettings(
        main_steps=10,
        refinement_steps=5,
        refined_classes=2,
        prescreen_steps=3,
        prescreen_images=4,
        main_classes=16,
        images=8,
    )
    assert image_passes(10, settings) == 10 * 10 * 8 + 5 * 2 * 8
    assert image_passes(1, settings) == 10 * 1 * 8 + 5 * 1 * 8, "no more classes are refined than there are"
    assert image_passes(1000, settings) == 3 * 1000 * 4 + 10 * 16 * 8 + 5 * 2 * 8


def test_only_what_takes_long_is_told_of_and_the_model_left_alone() -> None:
    few, many = (Classifier(SmallNet(classes)) for classes in (5, 40))
    images = torch.rand(6, 3, 16, 16)
    assert expected_seconds(few, images) is None
    many.train()
    seconds = expected_seconds(many, images)
    assert seconds is not None
    assert seconds > 0
    assert many.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in many.parameters())
    assert expected_seconds(few, torch.rand(4, 3, 128, 128)) is not None
