from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.dataroom import cures
from core.dataroom.filter import Judged
from core.dataroom.room import Verdict
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput
from tests.core.tiny import TARGET, Tiny


@pytest.fixture(scope="module")
def room() -> TrainSet:
    return read("digits", attack="badnets", attack_settings={"look": "grid"}, target=TARGET, rate=0.1)


def verdict(tiny: Tiny, flagged: np.ndarray, suspected: tuple[int, ...] = (TARGET,)) -> Verdict:
    judged = Judged(flagged.astype(float), None, suspected, 0.5)
    features = flagged[:, None].astype(float)
    seconds = {"contamination": 0.0}
    return Verdict(tiny.model, {"contamination": judged}, seconds, "contamination", flagged, (), features)


def test_the_images_to_train_on_are_exactly_those_that_are_not_flagged(tiny: Tiny, room: TrainSet) -> None:
    assert room.poisoned is not None
    kept = cures.kept_images(room, verdict(tiny, room.poisoned.numpy()))
    assert torch.equal(kept, torch.nonzero(~room.poisoned).flatten())


def test_trained_anew_without_the_flagged_images_the_model_knows_no_trigger(tiny: Tiny) -> None:
    few = read("digits", attack="badnets", attack_settings={"look": "grid"}, target=TARGET, rate=0.1, most=120)
    assert few.poisoned is not None
    told: list[tuple[str, int, int]] = []
    judged = verdict(tiny, few.poisoned.numpy())
    cured = cures.cure("retrain", few, judged, "small", 0, lambda *given: told.append(given))
    assert cured.ba > 60, "of a few images"
    assert cured.asr is not None
    assert cured.asr < 30
    assert cured.lost == int(few.poisoned.sum()) > 5
    assert told[-1][1] == told[-1][2]


@pytest.mark.parametrize("way", ["retrain", "purify", "suppress"])
def test_no_way_by_the_flags_goes_on_without_a_class(tiny: Tiny, room: TrainSet, way: str) -> None:
    flagged = room.y.numpy() == TARGET
    with pytest.raises(BadInput) as fault:
        cures.cure(way, room, verdict(tiny, flagged), "small", 0, lambda *told: None)
    assert fault.value.code == "class_flagged_whole"


def test_without_a_suspected_class_there_is_nothing_to_purify_of(tiny: Tiny, room: TrainSet) -> None:
    nothing = np.zeros(len(room.x), bool)
    with pytest.raises(BadInput) as fault:
        cures.cure("purify", room, verdict(tiny, nothing, ()), "small", 0, lambda *told: None)
    assert fault.value.code == "no_target"


def test_purification_gets_the_flagged_images_and_a_budget_without_them(tiny: Tiny, room: TrainSet) -> None:
    assert room.poisoned is not None
    judged = verdict(tiny, room.poisoned.numpy())
    assert torch.equal(cures.triggered(room, judged), room.x[room.poisoned])
    x, y = cures.budget(room, judged, seed=0)
    poison = {image.numpy().tobytes() for image in room.x[room.poisoned]}
    clean = {image.numpy().tobytes(): int(label) for image, label in zip(room.x, room.y, strict=True)}
    assert not poison & {image.numpy().tobytes() for image in x}
    assert [clean[image.numpy().tobytes()] for image in x] == y.tolist()
    assert set(y.tolist()) == set(range(10))


def test_a_persons_word_counts_more_than_the_filters_flag(tiny: Tiny, room: TrainSet) -> None:
    assert room.poisoned is not None
    first, *others = torch.nonzero(room.poisoned).flatten().tolist()
    judged = replace(verdict(tiny, room.poisoned.numpy()), words={first: "keep"})
    assert first in cures.kept_images(room, judged)
    assert torch.equal(cures.triggered(room, judged), room.x[others])


def test_flagged_images_of_other_classes_are_no_triggered_ones(tiny: Tiny, room: TrainSet) -> None:
    flagged = room.y.numpy() >= TARGET
    found = cures.triggered(room, verdict(tiny, flagged))
    assert torch.equal(found, room.x[room.y == TARGET])


def test_splitting_begins_with_trusted_images_of_each_class(tiny: Tiny, room: TrainSet) -> None:
    x, y = room.trusted
    short = replace(room, trusted=(x[y != 7], y[y != 7]))
    with pytest.raises(BadInput) as fault:
        cures.cure("split", short, verdict(tiny, np.zeros(len(room.x), bool)), "small", 0, lambda *told: None)
    assert (fault.value.code, fault.value.facts["name"]) == ("no_seeds", room.images.class_names[7])
