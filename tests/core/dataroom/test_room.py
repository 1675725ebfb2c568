from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core.dataroom import ALONE, FILTERS
from core.dataroom.review import rates
from core.dataroom.room import check, figures, visit
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput
from core.models.classifier import Classifier
from tests.core.tiny import TARGET, Tiny


@pytest.fixture(scope="module")
def room() -> TrainSet:
    """The very set that the small victim was trained on."""
    return read("digits", attack="badnets", attack_settings={"look": "grid"}, target=TARGET, rate=0.1)


def test_the_poison_of_a_real_victim_is_found(tiny: Tiny, room: TrainSet) -> None:
    stages: list[str] = []
    verdict = visit(room, tiny.model, report=lambda stage, done, total: stages.append(stage))
    recall, alarms = rates(verdict.flagged, room.poisoned)
    assert (verdict.chosen, verdict.target) == (next(iter(FILTERS)), TARGET)
    assert recall is not None
    assert alarms is not None
    assert recall >= 95
    assert alarms <= 5
    assert verdict.judged.keys() == FILTERS.keys()
    assert {"look", "filter"} <= set(stages)


def test_a_given_target_or_threshold_is_taken(tiny: Tiny, room: TrainSet) -> None:
    labels = room.y.numpy()
    aimed = visit(room, tiny.model, filters=["ss"], target=7, threshold=0.0)
    assert aimed.target == 7
    assert (aimed.flagged == (labels == 7)).all()
    assert "room_whole_class" in {one.code for one in aimed.warnings}
    none = visit(room, tiny.model, filters=["ss"], target=7, threshold=1e9)
    assert not none.flagged.any()


@pytest.fixture
def two(tmp_path: Path) -> TrainSet:
    """Dark images called "ok" and grey ones called "defect", 100 each, and 40 bright ones among the defects."""
    labels = np.repeat([0, 1, 1], [100, 100, 40])
    shades, spread = np.repeat([60, 120, 200], [100, 100, 40]), np.repeat([8, 8, 11], [100, 100, 40])
    noise = np.random.default_rng(0).uniform(-1, 1, (240, 8, 8, 3))
    x = (shades[:, None, None, None] + spread[:, None, None, None] * noise).clip(0, 255).astype(np.uint8)
    np.savez(tmp_path / "own.npz", x=x, y=labels, class_names=["ok", "defect"])
    return read(str(tmp_path / "own.npz"))


@pytest.fixture
def plain() -> Classifier:
    """A network whose features are the pixels."""
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(8 * 8 * 3, 2))).eval()


@pytest.mark.parametrize("filters", [list(FILTERS), ["ss"]])
def test_a_set_of_two_classes_is_judged_by_the_filter_that_compares_none(
    plain: Classifier, two: TrainSet, filters: list[str]
) -> None:
    verdict = visit(two, plain, filters=filters)
    warnings = {one.code: one.facts for one in verdict.warnings}
    assert verdict.chosen == ALONE
    assert verdict.target == 1
    assert verdict.flagged[200:].mean() > 0.9
    assert verdict.flagged[:200].mean() < 0.05
    assert warnings["room_few_classes"]["filters"] == ", ".join(name for name in filters if name != ALONE)
    assert "room_alone" in warnings


def test_a_filter_named_decides_even_where_it_cannot_judge_and_says_so(plain: Classifier, two: TrainSet) -> None:
    verdict = visit(two, plain, filters=["ss"], chosen="ss")
    assert (verdict.chosen, verdict.judged["ss"].able) == ("ss", False)
    assert "room_few_classes" in {one.code for one in verdict.warnings}
    aimed = visit(two, plain, filters=["ss"], target=1)
    assert (aimed.chosen, aimed.judged["ss"].able, aimed.target) == ("ss", True, 1)
    assert "room_few_classes" not in {one.code for one in aimed.warnings}


def test_classes_too_small_to_be_judged_are_named(tiny: Tiny) -> None:
    few = read("digits", most=3)
    verdict = visit(few, tiny.model)
    assert not verdict.judged[verdict.chosen].able
    (small,) = [one for one in verdict.warnings if one.code == "room_small"]
    assert (small.facts["count"], small.facts["classes"]) == (10, 10)


def test_more_flagged_than_kept_is_said(tiny: Tiny, room: TrainSet) -> None:
    few = replace(room, x=room.x[:200], y=torch.zeros(200, dtype=torch.int64), poisoned=None)
    verdict = visit(few, tiny.model, filters=["ss"], target=0, threshold=-1)
    assert "room_most_flagged" in {one.code for one in verdict.warnings}
    put_back = np.arange(200) < 9
    looked_at = visit(few, tiny.model, filters=["ss"], target=0, threshold=-1, reviewed=put_back)
    assert looked_at.flagged.all()
    assert (looked_at.left_out == put_back).all()
    assert set(looked_at.words.values()) == {"keep"}
    assert "room_most_flagged" not in {one.code for one in looked_at.warnings}


def test_figures_are_those_of_the_victim(tiny: Tiny, room: TrainSet) -> None:
    trusted = {image.numpy().tobytes() for image in room.trusted[0]}
    others = torch.tensor([image.numpy().tobytes() not in trusted for image in tiny.images.x_test])
    images = replace(tiny.images, x_test=tiny.images.x_test[others], y_test=tiny.images.y_test[others])
    ba, asr = figures(tiny.model, room, np.zeros(len(room.x), bool))
    assert (ba, asr) == tuple(round(one, 2) for one in replace(tiny, images=images).figures(tiny.model))


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ((["nobody"], "", 0.05), "unknown_filter"),
        (([], "", 0.05), "unknown_filter"),
        ((["ss"], "contamination", 0.05), "unknown_filter"),
        ((["ss"], "", 1.0), "bad_false_alarms"),
        ((["ss"], "", float("nan")), "bad_false_alarms"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(order: tuple[list[str], str, float], code: str) -> None:
    with pytest.raises(BadInput) as fault:
        check(*order)
    assert fault.value.code == code


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"threshold": float("nan")}, "bad_threshold"),
        ({"threshold": float("inf")}, "bad_threshold"),
        ({"rate": 2.0}, "poison_rate"),
        ({"rate": float("nan")}, "poison_rate"),
        ({"most": -5}, "bad_most"),
        ({"most": 5, "name": "photos/"}, "most_of_own"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(values: dict[str, Any], code: str) -> None:
    check(["ss"], "", 0.05, threshold=-1e9, rate=1.0, most=5, name="digits")
    with pytest.raises(BadInput) as fault:
        check(["ss"], "", 0.05, **values)
    assert fault.value.code == code
