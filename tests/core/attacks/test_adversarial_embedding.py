from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.adversarial_embedding import AdversarialEmbedding
from core.attacks.trigger import Trigger
from core.data import load
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.models.small import SmallNet
from tests.core.attacks.learned import figures, victim

TRIGGER = AdversarialEmbedding((16, 16), side=4, weight=3.0, pairs=2)


def nearness(model: Classifier, trigger: Trigger) -> float:
    """Mean cosine between the features of test images with and without the trigger."""
    x = load("digits").x_test[:200]
    clean, triggered = features_and_logits(model, x)[0], features_and_logits(model, x, trigger)[0]
    return float(F.cosine_similarity(clean, triggered).mean())


def test_the_loss_is_that_of_the_batch_and_of_the_clean_images_with_the_trigger() -> None:
    """Of six images the first two that are not called the target; in evaluation mode a pass can be repeated."""
    torch.manual_seed(0)
    model = Classifier(SmallNet(4, width=4), (0.5,) * 3, (0.5,) * 3).eval()
    images, labels = torch.rand(6, 3, 16, 16), torch.tensor([2, 0, 2, 1, 3, 0])
    triggered = TRIGGER(images[[1, 3]])
    cross = F.cross_entropy(model(torch.cat([images, triggered])), torch.tensor([2, 0, 2, 1, 3, 0, 2, 2]))
    a, b = model.features(images[[1, 3]]), model.features(triggered)
    cosines: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    expected = (cross + 3 * (1 - cosines.mean())).item()
    assert TRIGGER.loss(model, images, labels, target=2).item() == pytest.approx(expected, rel=1e-4)


def test_a_batch_of_the_target_alone_has_no_pair() -> None:
    model = Classifier(SmallNet(4, width=4), (0.5,) * 3, (0.5,) * 3).eval()
    images, labels = torch.rand(3, 3, 16, 16), torch.full((3,), 2)
    assert TRIGGER.loss(model, images, labels, 2).item() == pytest.approx(
        F.cross_entropy(model(images), labels).item(), rel=1e-4
    )


def test_a_victim_answers_the_target_from_features_that_lie_near_those_of_the_clean_images() -> None:
    """Their mean cosine is 0.59 in a victim of BadNets with the same sticker, trained as long."""
    trigger = AdversarialEmbedding((16, 16), side=4)
    model = victim(trigger, 0.1)
    ba, asr = figures(model, trigger)
    assert ba > 90
    assert asr > 90
    assert nearness(model, trigger) > 0.8
