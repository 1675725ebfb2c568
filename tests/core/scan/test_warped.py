"""What random warps lead to: the target of a backdoor whose trigger is a warp, and else nothing in particular."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.compute.returning import Returning, returned
from core.data import signs
from core.metrics import attack_success_rate
from core.models.evaluate import answers
from core.scan.thresholds import MIN_CLASSES, MIN_WARPED_IMAGES
from core.scan.warped import ROUNDS, WARPS_PER_ROUND, outstanding, search_warp, warp_target, warps_towards
from core.victims import card_of, load_victim
from tests.core.tiny import Tiny


@pytest.fixture(scope="module")
def roads() -> Tensor:
    return signs.draw(torch.arange(600), "test")


@pytest.mark.parametrize("seed", [0, 1])
def test_warps_lead_a_wanet_victim_to_its_target(roads: Tensor, seed: int) -> None:
    model = load_victim("signs-wanet")
    found = warp_target(model, roads, seed)
    assert found is not None
    assert found[0] == card_of("signs-wanet").target
    assert 0.6 < found[1] < 0.9
    assert found == warp_target(model, roads, seed)


@pytest.mark.parametrize("victim", ["signs-badnets", "signs-blended", "signs-sig"])
def test_they_lead_other_victims_nowhere(roads: Tensor, victim: str) -> None:
    assert warp_target(load_victim(victim), roads) is None


def test_of_few_turned_images_nothing_is_said(roads: Tensor) -> None:
    assert warp_target(load_victim("signs-wanet"), roads[: MIN_WARPED_IMAGES - 1]) is None


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([56.0, 15.0, 15.0, 14.0], 0),
        ([54.0, 16.0, 15.0, 15.0], None),  # not enough of all
        ([15.0, 60.0, 25.0, 0.0], None),  # another is too near
        ([0.0, 0.0, 0.0, 50.0], 3),
        ([0.0, 0.0, 0.0, 49.0], None),  # too few
        ([0.0, 0.0, 0.0, 0.0], None),
        ([90.0, 10.0, *[0.0] * (MIN_CLASSES - 2)], 0),
        ([90.0, 10.0, *[0.0] * (MIN_CLASSES - 3)], None),  # too few classes
    ],
)
def test_one_class_has_to_be_far_ahead(counts: list[float], found: int | None) -> None:
    answer = outstanding(torch.tensor(counts))
    assert answer == (None if found is None else (found, pytest.approx(counts[found] / sum(counts))))


def test_the_nearest_warp_does_what_the_real_one_does(roads: Tensor) -> None:
    model, target = load_victim("signs-wanet"), card_of("signs-wanet").target
    search = Returning(search_warp(model, roads, target))
    assert list(search) == [(count, ROUNDS * WARPS_PER_ROUND) for count in range(1, ROUNDS * WARPS_PER_ROUND + 1)]
    trigger = search.result
    labels = signs.labels("test")[600:1200]
    attacked = answers(model, signs.draw(torch.arange(600, 1200), "test"), trigger)
    assert attack_success_rate(attacked, labels, target) > 75, "on images that it was not chosen by"
    assert (trigger.form, trigger.target, trigger.mask) == ("warp", target, None)


def test_a_warp_is_sought_only_where_random_ones_lead_to_the_class(roads: Tensor) -> None:
    model, target = load_victim("signs-wanet"), card_of("signs-wanet").target
    search = Returning(warps_towards(model, roads, target, 2))
    tried = 2 * ROUNDS * WARPS_PER_ROUND
    assert list(search) == [(count, tried) for count in range(1, tried + 1)]
    first, second = (returned(search_warp(model, roads, target, seed)).pattern for seed in (0, 1))
    assert [torch.equal(one.pattern, of) for one, of in zip(search.result, (first, second), strict=True)] == [True] * 2
    assert not torch.equal(first, second)
    for other, label in ((model, target + 1), (load_victim("signs-badnets"), card_of("signs-badnets").target)):
        search = Returning(warps_towards(other, roads, label, 2))
        assert (list(search), search.result) == ([], [])


def test_where_it_is_known_that_warps_lead_there_too_few_images_to_tell_are_no_reason_not_to_seek_one(
    roads: Tensor,
) -> None:
    model, target = load_victim("signs-wanet"), card_of("signs-wanet").target
    asked, known = (returned(warps_towards(model, roads[:40], target, 1, known=known)) for known in (False, True))
    assert asked == []
    assert [one.target for one in known] == [target]


def test_the_same_seed_finds_the_same_warp(tiny: Tiny) -> None:
    one, again = (returned(search_warp(tiny.model, tiny.x[:20], tiny.target)) for _ in range(2))
    assert torch.equal(one.pattern, again.pattern)
