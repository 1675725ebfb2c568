from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from core.data import load
from core.dataroom.trainset import TRUSTED, first_of_each, read, warnings
from core.errors import BadInput


def test_a_set_that_came_whole_is_judged_whole_in_its_own_order(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (50, 8, 8, 3), dtype=np.uint8)
    y = np.arange(50) % 5
    np.savez(tmp_path / "own.npz", x=x, y=y)
    room = read(str(tmp_path / "own.npz"))
    assert (room.x.permute(0, 2, 3, 1).numpy() == x).all()
    assert room.y.tolist() == y.tolist()
    assert sorted([*room.learnt.tolist(), *room.held_out.tolist()]) == list(range(50))
    flagged = torch.zeros(50, dtype=torch.bool)
    flagged[room.held_out[0]] = True
    kept, labels = room.test(flagged)
    assert torch.equal(kept, room.x[room.held_out[1:]])
    assert torch.equal(labels, room.y[room.held_out[1:]])
    assert (room.poisoned, room.trigger, len(room.trusted[0])) == (None, None, 0)


def test_in_the_lab_the_truth_is_known_and_the_test_part_stays_clean() -> None:
    clean = load("digits")
    room = read("digits", attack="badnets", target=4, rate=0.1)
    assert room.poisoned is not None
    changed = (room.x != clean.x_train).flatten(1).any(1)
    assert (room.poisoned == (room.y != clean.y_train)).all()
    assert room.poisoned.sum() == round(0.1 * len(clean.x_train))
    assert (changed & ~room.poisoned).sum() == 0
    assert room.trusted[1].bincount().tolist() == [TRUSTED] * 10
    parts = [{image.numpy().tobytes() for image in part} for part in (room.test(room.poisoned)[0], room.trusted[0])]
    assert not parts[0] & parts[1], "accuracy is measured on images that no training saw"
    assert parts[0] | parts[1] == {image.numpy().tobytes() for image in clean.x_test}
    assert room.files == ("",) * len(room.x)


def test_a_part_of_a_set_has_all_classes_in_whatever_order_it_lies() -> None:
    in_order = torch.tensor([0] * 10 + [1] * 30)
    assert first_of_each(in_order, 8).tolist() == [0, 1, *range(10, 16)]
    in_turns = torch.arange(12) % 3
    assert first_of_each(in_turns, 6).tolist() == list(range(6))
    assert first_of_each(in_turns, 99).tolist() == list(range(12))


def own(path: Path, names: list[str], y: np.ndarray) -> str:
    """Images as bright as the letter of their class is late."""
    x = np.array([ord(names[label]) for label in y], np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    np.savez(path, x=x, y=y, class_names=np.array(names))
    return str(path)


def test_trusted_images_are_matched_by_the_names_of_their_classes(tmp_path: Path) -> None:
    y = np.arange(30) % 3
    room = read(own(tmp_path / "set.npz", ["a", "b", "c"], y), trusted=own(tmp_path / "ok.npz", ["c", "a", "b"], y))
    x, labels = room.trusted
    assert len(x) == 30
    assert (x[:, 0, 0, 0] == ord("a") + labels).all()
    with pytest.raises(BadInput) as fault:
        read(str(tmp_path / "set.npz"), trusted=own(tmp_path / "odd.npz", ["a", "b", "d"], y))
    assert fault.value.code == "trusted_names"
    assert fault.value.facts["names"] == "c, d"


def test_looking_for_duplicates_does_not_hold_the_set_a_second_time() -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (40, 3, 96, 96), dtype=np.uint8))
    tracemalloc.start()
    found = warnings(torch.cat([x, x[:2]]), torch.tensor([*range(40), 0, 0]))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {one.code: one.facts for one in found} == {"room_duplicates": {"count": 2}, "room_two_labels": {"count": 1}}
    assert most < x.nbytes / 4


def test_a_set_of_ones_own_is_not_poisoned(tmp_path: Path) -> None:
    x, y = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "own.npz", x=x, y=y)
    with pytest.raises(BadInput) as fault:
        read(str(tmp_path / "own.npz"), attack="badnets")
    assert fault.value.code == "poison_of_own"


def test_an_attack_that_needs_more_than_a_poisoned_set_is_refused() -> None:
    with pytest.raises(BadInput) as fault:
        read("digits", attack="deferred")
    assert fault.value.code == "attack_trains"
