from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from core.dataroom import cures
from core.dataroom.filter import Judged
from core.dataroom.room import Verdict
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput
from core.models.classifier import Classifier
from tests.core.tiny import TARGET, Tiny

Taken = list[tuple[Tensor, Tensor]]


@pytest.fixture(scope="module")
def room() -> TrainSet:
    return read("digits", attack="badnets", attack_settings={"look": "grid"}, target=TARGET, rate=0.1)


def verdict(tiny: Tiny, flagged: np.ndarray, suspected: tuple[int, ...] = (TARGET,)) -> Verdict:
    judged = Judged(flagged.astype(float), None, suspected, 0.5)
    features = flagged[:, None].astype(float)
    seconds = {"contamination": 0.0}
    return Verdict(tiny.model, {"contamination": judged}, seconds, "contamination", flagged, (), features)


def test_trained_anew_on_exactly_the_images_that_are_not_flagged(
    tiny: Tiny, room: TrainSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert room.poisoned is not None
    taken: Taken = []

    def take(model: Classifier, x: Tensor, y: Tensor, seed: int) -> list[object]:
        taken.append((x, y))
        return []

    monkeypatch.setattr(cures, "trained", take)
    cured = cures.cure("retrain", room, verdict(tiny, room.poisoned.numpy()), "small", 0, lambda *told: None)
    assert torch.equal(taken[0][0], room.x[~room.poisoned])
    assert torch.equal(taken[0][1], room.y[~room.poisoned])
    assert cured.lost == int(room.poisoned.sum())


@pytest.mark.parametrize("way", list(cures.WAYS))
def test_no_way_goes_on_without_a_class(tiny: Tiny, room: TrainSet, way: str) -> None:
    flagged = room.y.numpy() == TARGET
    with pytest.raises(BadInput) as fault:
        cures.cure(way, room, verdict(tiny, flagged), "small", 0, lambda *told: None)
    assert fault.value.code == "class_flagged_whole"


def test_without_a_suspected_class_there_is_nothing_to_purify_of(tiny: Tiny, room: TrainSet) -> None:
    nothing = np.zeros(len(room.x), bool)
    with pytest.raises(BadInput) as fault:
        cures.cure("purify", room, verdict(tiny, nothing, ()), "small", 0, lambda *told: None)
    assert fault.value.code == "no_target"


def test_purification_gets_the_flagged_images_and_a_budget_without_them(
    tiny: Tiny, room: TrainSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Tensor | None] = {}

    class Watched:
        def __init__(
            self, victim: Classifier, x: Tensor, y: Tensor, triggers: object, settings: object, seed: int, found: Tensor
        ) -> None:
            given.update(budget=x, found=found)

        def steps(self) -> list[object]:
            return []

        def result(self, best: bool) -> Classifier:
            return tiny.model

    restarts: Callable[..., object] = lambda *order: (yield (0, 1)) or [tiny.aimed]  # noqa: E731
    monkeypatch.setattr(cures, "Purifier", Watched)
    monkeypatch.setattr(cures, "restarts", restarts)
    assert room.poisoned is not None
    cured = cures.cure("purify", room, verdict(tiny, room.poisoned.numpy()), "small", 0, lambda *told: None)
    assert given["found"] is not None
    assert given["budget"] is not None
    assert torch.equal(given["found"], room.x[room.poisoned])
    poison = {image.numpy().tobytes() for image in room.x[room.poisoned]}
    assert not poison & {image.numpy().tobytes() for image in given["budget"]}
    assert (cured.ba, cured.asr) == tuple(round(one, 2) for one in tiny.figures(tiny.model))
    assert cured.lost == 0
