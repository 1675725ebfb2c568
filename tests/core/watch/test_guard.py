from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from core.data.imageset import as_float
from core.errors import BadInput
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.small import SmallNet
from core.watch.detector import Watched
from core.watch.fitting import fit_profile
from core.watch.guard import Guard
from tests.core.tiny import Tiny


def test_triggered_images_score_higher_than_clean_ones_and_are_flagged_far_more_often(
    tiny: Tiny, watched: Watched
) -> None:
    """The bounds are far from what was measured on the same victim trained in five arithmetics."""
    budget = slice(600)  # as in the benchmark: with half of them 25 to 72 % of the triggered images are flagged
    profile = fit_profile(watched, tiny.images.x_train[budget], tiny.images.y_train[budget], tiny.images.class_names)
    guard = Guard(tiny.model, profile)
    x, y = tiny.images.x_test[:300], tiny.images.y_test[:300]
    usual = guard.look(x)
    bad = guard.look(tiny.trigger(as_float(x[y != tiny.target])))
    triggered = np.r_[np.zeros(len(usual)), np.ones(len(bad))]
    assert roc_auc_score(triggered, [one.score for one in usual + bad]) > 0.9, "0.997 to 1.000, by chance 0.5"
    assert sum(one.flagged for one in usual) / len(usual) <= 0.04, "0.00, aimed at 0.01"
    assert sum(one.flagged for one in bad) / len(bad) >= 0.3, "0.70 to 0.93, by chance 0.01"


def test_a_finding_says_what_the_model_answers_and_why_it_is_flagged(tiny: Tiny, guard: Guard) -> None:
    x = tiny.trigger(as_float(tiny.images.x_test[:50]))
    found = guard.look(x)
    assert [one.answer for one in found] == answers(tiny.model, x).tolist()
    for one in found:
        assert one.flagged == (one.score > 1)
        assert set(one.scores) == set(guard.profile.detectors)
        assert one.why == (max(one.scores, key=one.scores.__getitem__) if one.flagged else "")
        assert 0 <= one.confidence <= 1


def test_an_array_of_pillow_and_batches_give_the_same(tiny: Tiny, guard: Guard) -> None:
    x = tiny.images.x_test[:300]
    together = guard.look(x)
    as_array = guard.look(x.permute(0, 2, 3, 1).numpy())
    alone = guard.look(x[290:291])[0]
    assert [one.score for one in together] == pytest.approx([one.score for one in as_array], abs=1e-3)
    assert alone.score == pytest.approx(together[290].score, abs=1e-2)
    assert guard.look(x[:0]) == []


@pytest.mark.parametrize("shape", [(2, 3, 17, 16), (2, 1, 16, 16), (3, 16, 16)])
def test_images_of_another_size_are_refused(guard: Guard, shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="16x16") as error:
        guard.look(torch.zeros(shape))
    assert error.value.code == "images_not_for_the_guard"


def test_a_profile_of_another_model_is_refused(guard: Guard) -> None:
    with pytest.raises(BadInput) as error:
        Guard(Classifier(SmallNet(10, width=4)), guard.profile)
    assert error.value.code == "profile_of_another_model"
