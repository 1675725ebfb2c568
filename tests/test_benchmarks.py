"""The benchmarks, which no other test runs: each can be imported and has its rows, so that none rots unseen."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from core.attacks import make_trigger
from core.attacks.training import TrainSettings
from core.data import load
from core.metrics import attack_success_rate, benign_accuracy
from core.models.evaluate import answers
from core.models.weights import classifier, read_weights
from core.victims import card_of
from tests.benchmarks import alarms, backdoored, costs, fleet
from tests.benchmarks.__main__ import MODULES


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_can_be_imported_and_has_rows(name: str) -> None:
    assert callable(import_module(f"tests.benchmarks.{name}").rows)


def test_costs_are_measured() -> None:
    found = costs.rows(steps=1, warm=1, networks=[("small", 4)])
    assert len(found) >= 2
    assert all(" ms (" in measured for _, measured, _ in found)


def test_a_victim_for_the_cures_is_made_of_a_clean_network_once_trained(tmp_path: Path) -> None:
    images, quick = load("digits"), TrainSettings(epochs=4, batch=64)
    base = backdoored.clean(images, "small", 0, tmp_path, 600, quick)
    again = backdoored.clean(images, "small", 0, tmp_path, 600, replace(quick, epochs=0))  # kept: nothing to train
    assert all(torch.equal(value, base.state_dict()[name]) for name, value in again.state_dict().items())
    recipe = backdoored.Recipe("small", "badnets", 1, 3, rate=0.2, epochs=8, images=600, settings={"look": "grid"})
    card = backdoored.make(recipe, images, base, tmp_path)
    weights = read_weights(tmp_path / f"{card.name}.safetensors")
    model = classifier(weights, card.arch, card.classes, card.mean, card.std)
    trigger = make_trigger(card.attack, images.size, **card.attack_settings)
    attacked = answers(model, images.x_test, trigger)
    assert attack_success_rate(attacked, images.y_test, 3) > 50
    assert benign_accuracy(answers(model, images.x_test), images.y_test) > 60
    assert card.asr == pytest.approx(attack_success_rate(attacked, images.y_test, 3), abs=2)


def test_the_fleet_has_as_many_victims_as_clean_models_and_each_its_own_name() -> None:
    assert sum(model.is_victim for model in fleet.MODELS) * 2 == len(fleet.MODELS) == 24
    assert len({model.name for model in fleet.MODELS}) == 24
    assert all(card_of(model.name).attack == model.attack for model in fleet.MODELS if model.shipped)


def test_the_networks_for_false_alarms_are_forty_and_each_is_made_once() -> None:
    names = [model.name for model in (*alarms.CLEAN, *alarms.VICTIMS)]
    assert len(alarms.CLEAN) == 40
    assert len(set(names)) == len(names) == 60
