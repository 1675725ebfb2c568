from __future__ import annotations

import math

import pytest
import torch

from core.data.imageset import as_float
from core.defenses.mcl.found_images import FoundImages
from core.defenses.mcl.purifier import Purifier
from core.defenses.mcl.settings import MCLSettings
from core.models.evaluate import features_and_logits
from tests.core.tiny import Tiny

QUICK = MCLSettings(epochs=1, anneal=10, rounds=0, restarts=0)


def found_in(tiny: Tiny, count: int = 40) -> torch.Tensor:
    """Images of other classes with the real trigger."""
    others = tiny.images.x_train[tiny.images.y_train != tiny.target][:count]
    return tiny.trigger(as_float(others))


def made(tiny: Tiny, images: torch.Tensor) -> FoundImages:
    features0 = features_and_logits(tiny.model, tiny.x)[0]
    return FoundImages(images, tiny.model, tiny.target, features0, tiny.y)


def test_an_image_is_taken_for_what_it_looks_like_besides_the_target(tiny: Tiny) -> None:
    found = made(tiny, found_in(tiny, 3))
    logits = torch.zeros(3, 10)
    logits[:, tiny.target] = 9
    logits[torch.arange(3), torch.tensor([1, 7, 0])] = 2
    assert found.guess(logits).tolist() == [1, 7, 0]
    assert logits[0, tiny.target] == 9


def test_the_losses_are_those_worked_out_by_hand(tiny: Tiny) -> None:
    found = made(tiny, found_in(tiny, 4))
    features = torch.rand(2, found.features0.shape[1])
    logits = torch.zeros(2, 10)
    logits[:, 5] = 1
    apart, own = found.losses(torch.tensor([0, 3]), features, logits, tau=0.5, margin=2.0)
    features0 = features_and_logits(tiny.model, tiny.x)[0]
    mean = features0[tiny.y == 5].mean(0)
    cos = torch.nn.functional.cosine_similarity
    terms = []
    for row, at in ((0, 0), (1, 3)):
        pull = math.exp(cos(features[row], mean, dim=0).item() / 0.5)
        push = math.exp(cos(features[row], found.features0[at], dim=0).item() / 0.5)
        terms.append(-math.log(pull / (pull + push)))
    assert apart.item() == pytest.approx(sum(terms) / 2, abs=1e-5)
    assert own.item() == pytest.approx(-math.log(math.e / (math.e + 8 + math.exp(2))), abs=1e-5)


def test_found_images_alone_make_the_purification_another_one_and_none_leaves_it_as_it_was(tiny: Tiny) -> None:
    def steps(found: torch.Tensor | None) -> list[dict[str, float]]:
        purifier = Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed], QUICK, 0, found)
        return [step.losses for step, _ in zip(purifier.steps(), range(3), strict=False)]

    alone = steps(None)
    assert steps(tiny.x[:0]) == alone
    beside = steps(found_in(tiny))
    assert beside[0].keys() == alone[0].keys()
    assert beside[0]["contrast"] > alone[0]["contrast"]
