from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.dataroom import FILTERS
from core.dataroom.room import check, figures, rates, visit
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput
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


def test_more_flagged_than_kept_is_said(tiny: Tiny, room: TrainSet) -> None:
    few = replace(room, x=room.x[:200], y=torch.zeros(200, dtype=torch.int64), poisoned=None)
    verdict = visit(few, tiny.model, filters=["ss"], target=0, threshold=-1)
    assert "room_most_flagged" in {one.code for one in verdict.warnings}


def test_recall_and_false_alarms_are_of_the_poisoned_and_of_the_clean() -> None:
    flagged = np.array([True, True, False, False, True, False, False, False])
    truth = torch.tensor([True, True, True, False, False, False, False, False])
    assert rates(flagged, truth) == (66.67, 20.0)
    assert rates(flagged, None) == (None, None)


def test_figures_are_those_of_the_victim(tiny: Tiny, room: TrainSet) -> None:
    ba, asr = figures(tiny.model, room, np.zeros(len(room.x), bool))
    assert (ba, asr) == tuple(round(one, 2) for one in tiny.figures(tiny.model))


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ((["nobody"], "", 0.05), "unknown_filter"),
        (([], "", 0.05), "unknown_filter"),
        ((["ss"], "scan", 0.05), "unknown_filter"),
        ((["ss"], "", 1.0), "bad_false_alarms"),
        ((["ss"], "", float("nan")), "bad_false_alarms"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(order: tuple[list[str], str, float], code: str) -> None:
    with pytest.raises(BadInput) as fault:
        check(*order)
    assert fault.value.code == code
