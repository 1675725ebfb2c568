from __future__ import annotations

import pytest
import torch

from core.data.imageset import ImageSet, as_float
from core.featuremap import samples
from core.metrics import attack_success_rate, benign_accuracy
from core.models.evaluate import answers
from tests.core.tiny import Tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def chosen(tiny: Tiny) -> samples.SampleSet:
    return samples.choose(tiny.images, tiny.trigger, tiny.target, 200, 0, CPU)


def test_three_clean_ones_for_each_triggered_one(chosen: samples.SampleSet) -> None:
    assert chosen.clean_count == 150
    assert len(chosen.index) == len(chosen.label) == len(chosen.images) == 200
    assert not chosen.triggered[:150].any()
    assert chosen.triggered[150:].all()
    assert len(chosen.index[:150].unique()) == 150


def test_labels_and_pixels_are_those_of_the_test_set(tiny: Tiny, chosen: samples.SampleSet) -> None:
    assert torch.equal(chosen.label, tiny.images.y_test[chosen.index])
    x = as_float(tiny.images.x_test[chosen.index])
    assert torch.equal(chosen.images[:150], x[:150])
    assert torch.equal(chosen.images[150:], tiny.trigger(x[150:]))


def test_twins_are_the_same_images_without_the_trigger(tiny: Tiny, chosen: samples.SampleSet) -> None:
    assert (chosen.twin[:150] == -1).all()
    twins = chosen.twin[150:]
    assert torch.equal(chosen.index[twins], chosen.index[150:])
    assert not chosen.triggered[twins].any()
    assert len(twins.unique()) == 50


def test_no_triggered_sample_is_of_the_target_class(tiny: Tiny, chosen: samples.SampleSet) -> None:
    assert (chosen.label[chosen.triggered] != tiny.target).all()


def test_classes_keep_their_shares(tiny: Tiny, chosen: samples.SampleSet) -> None:
    share = torch.bincount(tiny.images.y_test) / len(tiny.images.y_test)
    assert (torch.bincount(chosen.label[:150]) / 150 - share).abs().max() < 0.01


def test_the_seed_chooses(tiny: Tiny, chosen: samples.SampleSet) -> None:
    again, other = (samples.choose(tiny.images, tiny.trigger, tiny.target, 200, seed, CPU) for seed in (0, 1))
    assert torch.equal(again.index, chosen.index)
    assert not torch.equal(other.index, chosen.index)


def test_more_points_than_images_take_them_all(tiny: Tiny) -> None:
    everything = samples.choose(tiny.images, tiny.trigger, tiny.target, 5000, 0, CPU)
    n = len(tiny.images.x_test)
    assert everything.clean_count == n
    assert everything.index[:n].sort().values.tolist() == list(range(n))
    assert int(everything.triggered.sum()) == n // 3


def test_examples_are_of_as_many_classes_as_there_are(chosen: samples.SampleSet) -> None:
    positions = samples.examples(chosen)
    assert len(positions) == 8
    assert chosen.triggered[positions].all()
    assert len(chosen.label[positions].unique()) == 8


def test_examples_of_few_classes_repeat_classes_but_no_sample() -> None:
    images = ImageSet(
        "two", torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.arange(4) % 3,
        torch.zeros(60, 3, 8, 8, dtype=torch.uint8), torch.arange(60) % 3, ("a", "b", "c"),
    )  # fmt: skip
    positions = samples.examples(samples.choose(images, lambda x: x, 0, 80, 0, CPU))
    assert len(positions.unique()) == 8
    few = samples.examples(samples.choose(images, lambda x: x, 0, 8, 0, CPU))
    assert len(few) == 2


def test_the_view_tells_what_the_model_answers(tiny: Tiny, chosen: samples.SampleSet) -> None:
    seen = samples.view(tiny.model, chosen, tiny.target)
    expected = answers(tiny.model, chosen.images)
    assert torch.equal(seen.answers, expected)
    assert seen.features.shape == (200, tiny.model.feature_size)
    assert seen.confidence.min() >= 10
    assert seen.confidence.max() <= 100.001
    assert seen.ba == benign_accuracy(expected[:150], chosen.label[:150])
    assert seen.asr == attack_success_rate(expected[150:], chosen.label[150:], tiny.target)
    assert seen.asr > 90
