"""What a step of MCL's default trains on: triggered images, mixed ones, pairs of the target, none that is held out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from core.defenses.mcl.mixing import mixed
from core.defenses.mcl.purifier import Purifier
from core.triggers.reconstructed import Reconstructed
from tests.core.defenses.mcl.purifiers import QUICK, doubtful, make, plenty, shown, shown_with_pairs
from tests.core.tiny import Tiny


def test_each_triggered_image_carries_one_of_the_triggers_and_all_are_used(tiny: Tiny) -> None:
    bright = Reconstructed("pixel", torch.full((3, 16, 16), 0.9), None, tiny.target)
    purifier = Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed, bright], QUICK)
    x_t, _ = shown(purifier, torch.arange(len(purifier.x)))
    carried = torch.stack([(x_t == trigger(purifier.x)).flatten(1).all(1) for trigger in (tiny.aimed, bright)])
    assert bool((carried.sum(0) == 1).all())
    assert bool(carried.any(1).all())


@pytest.mark.parametrize(
    ("many", "least", "pairs"), [(False, 0.5, 47), (False, 1.0, 50), (False, 0.0, 0), (True, 0.5, 25), (True, 0.0, 0)]
)
def test_the_fewer_clean_images_the_more_come_mixed_and_the_rest_as_they_are(
    tiny: Tiny, many: bool, least: float, pairs: int
) -> None:
    images = plenty(tiny) if many else (tiny.x, tiny.y)
    purifier, chosen = Purifier(tiny.model, *images, [tiny.aimed], replace(QUICK, mixed=least)), torch.arange(50)
    _, clean = shown(purifier, chosen)
    changed = (clean != purifier.x[chosen]).flatten(1).any(1)
    assert not changed[pairs:].any()
    assert changed[:pairs].sum() >= 0.9 * pairs, "an image may be its own partner"
    labels = nn.functional.one_hot(purifier.y, 10).float()
    if pairs:
        first, mixtures = mixed(clean[:0], labels[:0], clean, labels, purifier.step_generator())
        assert len(first) == len(mixtures) == 0
    assert torch.equal(clean, shown(purifier, chosen)[1]), "the same step draws the same"
    purifier.done = 1
    assert torch.equal(clean, shown(purifier, chosen)[1]) == (pairs == 0), "and another one others"


def test_what_the_victim_answers_to_mixtures_is_kept_as_it_is(tiny: Tiny) -> None:
    """At the start nothing differs from the victim, where no target is taken out of what it says."""
    purifier = doubtful(tiny, replace(QUICK, mixed=1.0))
    purifier.model.eval()
    with torch.no_grad():
        assert float(purifier.losses(torch.arange(40))["keep"]) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("share", "count"), [(0.25, 10), (0.0, 0)])
def test_pairs_of_the_target_class_are_added_and_their_answers_kept(tiny: Tiny, share: float, count: int) -> None:
    purifier, chosen = make(tiny, replace(QUICK, target_pairs=share, mixed=0)), torch.arange(40)
    _, _, pairs = shown_with_pairs(purifier, chosen)
    assert len(pairs) == count
    own = purifier.x[purifier.y == tiny.target].flatten(1)
    low, high = own.amin(0), own.amax(0)
    assert bool(((pairs.flatten(1) >= low - 1e-6) & (pairs.flatten(1) <= high + 1e-6)).all()), "of that class alone"
    purifier.model.eval()
    images = torch.cat([purifier.x[chosen], pairs])
    with torch.no_grad():
        kept = purifier.losses(chosen)["keep"]
        answers, answers0 = purifier.model(images), tiny.model(images)
    is_other = torch.arange(10) == tiny.target
    for row, label in enumerate(purifier.y[chosen].tolist()):
        if label != tiny.target:
            answers0[row] = torch.where(is_other, answers0[row].min(answers0[row][~is_other].max()), answers0[row])
    p0 = answers0.softmax(1)
    by_hand = (p0 * (answers0.log_softmax(1) - answers.log_softmax(1))).sum(1).mean()
    assert float(kept) == pytest.approx(float(by_hand), abs=1e-4)


def test_the_held_out_part_is_not_trained_on(tiny: Tiny) -> None:
    purifier = make(tiny)
    held, kept = purifier.held_out.images, purifier.x
    assert (len(held), len(kept)) == (6, 54)
    pixels = {tuple(image.flatten().tolist()) for image in kept.mul(255).round().to(torch.uint8)}
    assert not any(tuple(image.flatten().tolist()) in pixels for image in held)


def test_a_held_out_part_that_is_all_of_one_target_is_none(tiny: Tiny) -> None:
    labels = tiny.y.clone()
    labels[torch.randperm(60, generator=torch.Generator().manual_seed(0))[:6]] = 7  # those that are held out
    either = [tiny.aimed], [tiny.aimed, replace(tiny.aimed, target=7)]
    assert [len(Purifier(tiny.model, tiny.x, labels, one, QUICK).held_out) for one in either] == [6, 0]


def test_without_a_trigger_nothing_can_be_done(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match="trigger"):
        Purifier(tiny.model, tiny.x, tiny.y, [], QUICK)
