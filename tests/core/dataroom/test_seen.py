from __future__ import annotations

import numpy as np
import torch
from torch import nn

from core.data.imageset import as_float
from core.dataroom.seen import fresh, looked, material, settings_of
from core.dataroom.trainset import read
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from tests.core.tiny import Tiny


def test_features_are_those_before_the_last_layer_and_maps_those_before_the_pooling(tiny: Tiny) -> None:
    x = tiny.images.x_test[:300]
    features, _, maps = looked(tiny.model, x)
    np.testing.assert_allclose(features, features_and_logits(tiny.model, x)[0].numpy(), atol=1e-4)
    assert maps.shape == (300, features.shape[1], 16)
    # this network's features are the means of its last maps
    np.testing.assert_allclose(maps.astype(np.float64).mean(axis=2), features, atol=5e-3)


def test_what_flows_into_the_last_convolution_is_seen_as_well(tiny: Tiny) -> None:
    x = tiny.images.x_test[:300]
    trunk = tiny.model.net.trunk
    with torch.inference_mode():
        # the last convolution, batch norm and ReLU of this network left out
        expected = trunk[:-3]((as_float(x) - tiny.model.mean) / tiny.model.std).mean((2, 3))
    np.testing.assert_allclose(looked(tiny.model, x)[1], expected.numpy(), atol=1e-4)


def test_a_network_without_convolutions_has_one_depth(tiny: Tiny) -> None:
    x = tiny.images.x_test[:5]
    net = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 8), nn.ReLU(), nn.Linear(8, 10))
    features, earlier, _ = looked(Classifier(net, tiny.images.mean, tiny.images.std), x)
    assert features.shape == (5, 8)
    assert earlier.shape == (5, 0)


def test_the_material_is_in_the_order_of_the_set() -> None:
    room = read("digits", attack="badnets", rate=0.05, most=120)
    model = fresh(room.images, "small", 0)
    seen = material(model, room)
    assert len(seen.features) == len(seen.maps) == len(seen.looks) == len(seen.labels) == 120
    assert seen.labels.tolist() == room.y.tolist()
    alone = looked(model, room.x[70:71])[0][0]
    np.testing.assert_allclose(seen.features[70], alone, atol=1e-5)
    assert len(seen.trusted) == len(seen.trusted_labels) == len(room.trusted[0])


def test_the_same_seed_makes_the_same_network() -> None:
    images = read("digits").images
    one, same, other = (fresh(images, "small", seed).net.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_small_set_is_gone_through_more_often() -> None:
    for count in (30, 500, 12_000):
        settings = settings_of(count)
        assert settings.batch <= count
        assert settings.epochs * max(1, count // settings.batch) >= 100


def test_sets_of_thousands_get_five_hundred_steps() -> None:
    for count in (3000, 5000, 50_000):
        settings = settings_of(count)
        assert settings.epochs * (count // settings.batch) >= 500
