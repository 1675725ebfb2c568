"""The progress of a proof is the share of its work: counted beside it, in image passes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.verify.effort import FORWARD_BACKWARD, VARIANTS, passes
from core.verify.probes import with_variants
from core.verify.proof import Proof
from tests.core.tiny import Tiny


def test_progress_is_the_share_of_the_images_that_went_through(
    tiny: Tiny, honest: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, forward = [0], Classifier.forward

    def counted(model: Classifier, images: Tensor) -> Tensor:
        backward = torch.is_grad_enabled() and (images.requires_grad or next(model.parameters()).requires_grad)
        work[0] += len(images) * (FORWARD_BACKWARD if backward else 1)
        return forward(model, images)

    monkeypatch.setattr(Classifier, "forward", counted)
    made = Proof(
        tiny.model,
        honest,
        tiny.images.x_test,
        tiny.images.y_test,
        tiny.target,
        seed=0,
        true_asr=0.0,
    )
    told = [(done / total, work[0]) for done, total in made.steps()]
    assert max(abs(share - images / work[0]) for share, images in told) < 0.1


def test_a_trigger_has_as_many_variants_as_are_counted(tiny: Tiny) -> None:
    assert len(list(with_variants([tiny.aimed]))) == VARIANTS


def test_each_further_suspect_is_as_much_as_the_fresh_triggers() -> None:
    plain = passes(10, 500, 1000, 0)
    assert plain["others"] == 0
    assert passes(10, 500, 1000, 2)["others"] == 2 * plain["fresh"]


def test_more_classes_are_more_to_scan_and_nothing_else() -> None:
    few, many = (passes(classes, 500, 1000, 0) for classes in (10, 12))
    assert {name for name in few if few[name] != many[name]} == {"search"}
