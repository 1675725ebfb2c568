from __future__ import annotations

import numpy as np
import pytest

from core.compute.returning import returned
from core.models.evaluate import features_and_logits
from core.suspicion import activation_clustering, spectral_signatures
from core.suspicion.judging import Judgement, judge, parts_of
from tests.core.tiny import Tiny

GROUPS = np.concatenate([np.repeat([0, 1, 2], 90), np.full(60, 1)])  # 60 triggered, all read as class 1
TRIGGERED = np.arange(len(GROUPS)) >= 270


def judged(method, features=None, groups=GROUPS, triggered=TRIGGERED, share=0.1) -> Judgement:
    features = np.arange(len(groups), dtype=float)[:, None] if features is None else features
    return returned(judge(method, features, groups, triggered, share))


def test_every_triggered_point_is_in_one_part_and_no_part_is_a_crowd() -> None:
    parts = parts_of(GROUPS, TRIGGERED, 0.1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(270, 330))
    for part in parts:
        assert len(part) / (90 + len(part)) == pytest.approx(0.1, abs=0.03)


def test_precision_and_recall_are_counted_over_all_parts() -> None:
    """Flagged: the triggered of even number, 30 of 60, and in every part ten clean ones of class 0."""
    parts = len(parts_of(GROUPS, TRIGGERED, 0.1))

    def method(features: np.ndarray, groups: np.ndarray) -> np.ndarray:
        number = features[:, 0]
        return np.where(((number >= 270) & (number % 2 == 0)) | (number < 10), 0.8, 0.2)

    found = judged(method)
    assert found.recall == pytest.approx(50)
    assert found.precision == pytest.approx(100 * 30 / (30 + 10 * parts))
    assert found.share == pytest.approx(100 * 60 / (60 + 270 * parts)), "of the images that the other two are of"
    np.testing.assert_allclose(found.scores[270:], np.where(np.arange(270, 330) % 2 == 0, 0.8, 0.2))
    np.testing.assert_allclose(found.scores[:10], 0.8)


def test_a_class_without_newcomers_is_judged_once() -> None:
    calls: list[int] = []

    def method(features: np.ndarray, groups: np.ndarray) -> np.ndarray:
        calls.append(int(groups[0]))
        return np.zeros(len(groups))

    found = judged(method)
    assert calls.count(0) == calls.count(2) == 1
    assert calls.count(1) == len(parts_of(GROUPS, TRIGGERED, 0.1))
    assert (found.precision, found.recall) == (None, 0)


def test_without_triggered_points_there_is_no_recall() -> None:
    found = judged(lambda features, groups: np.full(len(groups), 0.9), triggered=np.zeros(330, bool))
    assert (found.precision, found.recall, found.share) == (0, None, 0)


def test_on_a_real_backdoor_the_methods_beat_chance(tiny: Tiny) -> None:
    clean = tiny.images.x_test
    away = np.flatnonzero((tiny.images.y_test != tiny.target).numpy())[:90]
    features, logits = features_and_logits(tiny.model, clean)
    bad, bad_logits = features_and_logits(tiny.model, clean[away], tiny.trigger)
    table = np.concatenate([features.numpy(), bad.numpy()]).astype(float)
    answers = np.concatenate([logits.argmax(1).numpy(), bad_logits.argmax(1).numpy()])
    triggered = np.arange(len(table)) >= len(clean)
    spectral = judged(spectral_signatures.score, table, answers, triggered, spectral_signatures.SHARE)
    clusters = judged(activation_clustering.score, table, answers, triggered, activation_clustering.SHARE)
    assert spectral.recall is not None
    assert spectral.recall > 100 * 1.5 * spectral_signatures.EPSILON  # what dropping at random would catch
    assert clusters.recall is not None
    assert clusters.precision is None or clusters.precision > clusters.share
