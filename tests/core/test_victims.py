"""The shipped victims are what their cards say, and new ones can be trained."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from core import victims
from core.attacks.training import Epoch, TrainSettings
from core.compute.returning import Returning
from core.data import load, signs
from core.errors import BadInput
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import classifier, read_weights
from core.victims import Card, card_of, list_victims, load_victim, train_victim, trigger_of

CARDS = list_victims()
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "unpack.py"
SOME = 10  # every tenth image of the large sets: enough to see that the victim is the one of the card


@cache
def test_images(name: str) -> tuple[Tensor, Tensor]:
    """Test images, uint8 (n, 3, h, w), and labels; of the large sets a part."""
    if name == "signs":
        labels = signs.labels("test")
        return signs.draw(torch.arange(len(labels)), "test"), labels  # the training images are not needed
    if name == "digits":
        images = load(name)
        return images.x_test, images.y_test
    if os.environ.get("DISSOLVE_DATA"):
        images = load(name)
        return images.x_test[::SOME], images.y_test[::SOME]
    if not SHARED.exists():
        pytest.skip(f"{name} is not on this machine")
    x, y = runpy.run_path(str(SHARED))["images"](name, "test")
    return torch.from_numpy(x[::SOME].copy()).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y[::SOME]).long()


test_images.__test__ = False  # type: ignore[attr-defined]


# the shipped ones


def test_the_default_is_there_and_comes_first() -> None:
    assert CARDS[0].name == victims.DEFAULT
    assert len({card.name for card in CARDS}) == len(CARDS)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_weights_are_those_of_the_card(card: Card) -> None:
    assert hashlib.sha256(card.weights.read_bytes()).hexdigest() == card.sha256


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_figures_of_the_card_can_be_measured_again(card: Card) -> None:
    x, labels = test_images(card.data)
    model, trigger = load_victim(card.name), trigger_of(card, (x.shape[2], x.shape[3]))
    clean, attacked = answers(model, x), answers(model, x[labels != card.target], trigger)
    within = 0.5 if card.data in ("signs", "digits") else 3.0
    assert benign_accuracy(clean, labels) == pytest.approx(card.ba, abs=within)
    assert attack_success_rate(attacked, labels[labels != card.target], card.target) == pytest.approx(
        card.asr, abs=within
    )


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_card_tells_what_the_page_needs(card: Card) -> None:
    assert 0 <= card.target < card.classes
    assert card.target_name
    assert 80 < card.ba <= 100
    assert 60 < card.asr <= 100, "a backdoor worth showing"
    assert 0 < card.poison_rate <= 1
    assert {"python", "torch"} <= card.versions.keys()
    assert card.name == card.weights.stem
    if card.data == "signs":
        assert card.target_name == signs.CLASS_NAMES[card.target]


def test_a_victim_is_ready_to_answer() -> None:
    model = load_victim("digits-badnets")
    assert isinstance(model, Classifier)
    assert not model.training
    assert model(torch.rand(2, 3, 16, 16)).shape == (2, 10)


@pytest.mark.parametrize(
    "name", ["nobody", "", "../victims/digits-badnets", "..\\digits-badnets", "digits-badnets.json"]
)
def test_a_name_that_is_not_shipped_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        card_of(name)
    assert caught.value.code == "unknown_victim"
    assert "digits-badnets" in caught.value.message


# training one


class Trained(NamedTuple):
    out: Path
    epochs: list[Epoch]
    card: Card


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("trained") / "mine.safetensors"
    images, settings = load("digits"), TrainSettings(epochs=6, batch=32, shift=0)
    few = replace(images, x_train=images.x_train[:300], y_train=images.y_train[:300])
    told = Returning(train_victim(few, "badnets", 6, out, attack_settings={"look": "grid"}, settings=settings, seed=3))
    epochs = list(told)
    return Trained(out, epochs, told.result)


def test_training_tells_how_far_it_is(trained: Trained) -> None:
    last = trained.epochs[-1]
    assert last.step == last.total
    assert last.epoch == 5


def test_what_is_written_is_what_the_card_says(trained: Trained, shipped: Path) -> None:
    out, _, card = trained
    assert hashlib.sha256(out.read_bytes()).hexdigest() == card.sha256
    shutil.copy(out.with_suffix(".json"), shipped / "victims")
    assert victims.card_of(card.name) == card
    assert (card.name, card.data, card.target, card.target_name, card.seed) == ("mine", "digits", 6, "6", 3)
    assert card.training["epochs"] == 6
    images = load("digits")
    model = classifier(read_weights(out), card.arch, card.classes, card.mean, card.std)
    trigger = trigger_of(card, images.size)
    clean, attacked = answers(model, images.x_test), answers(model, images.x_test, trigger)
    assert benign_accuracy(clean, images.y_test) == pytest.approx(card.ba, abs=0.2)
    assert attack_success_rate(attacked, images.y_test, 6) == pytest.approx(card.asr, abs=0.2)
    assert card.ba > 80
    assert card.asr > 70


def test_a_card_is_found_where_victims_are_shipped(trained: Trained, shipped: Path) -> None:
    shutil.copytree(trained.out.parent, shipped / "victims", dirs_exist_ok=True)
    assert [card.name for card in list_victims()] == ["mine"]
    assert load_victim("mine").num_classes == 10
    assert json.loads((trained.out.parent / "mine.json").read_text())["mean"] == [0.3, 0.3, 0.3]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"target": 10}, "target_out_of_range"),
        ({"target": -1}, "target_out_of_range"),
        ({"attack": "magic"}, "unknown_attack"),
        ({"arch": "huge"}, "unknown_architecture"),
        ({"poison_rate": 0.0}, "poison_rate"),
    ],
)
def test_bad_orders_are_refused_before_anything_is_written(tmp_path: Path, changes: dict, code: str) -> None:
    order = {"attack": "badnets", "target": 0, "out": tmp_path / "a.safetensors"} | changes
    with pytest.raises(BadInput) as caught:
        next(train_victim(load("digits"), **order))
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []
