"""MCL where no trigger is sure: how hard it pushes against one in doubt, and random stamps beside it or alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from core.defenses.mcl import purifier as place
from core.defenses.mcl.purifier import STAMPED_STEPS, Purifier
from core.triggers.reconstructed import Confidence
from core.triggers.stamps import KINDS, flip_counts
from tests.core.defenses.mcl.purifiers import QUICK, SHORT, doubtful, make, shown
from tests.core.tiny import Tiny

NONE, DOUBTFUL = Confidence.NONE, Confidence.DOUBTFUL
EITHER = pytest.mark.parametrize("confidence", [NONE, DOUBTFUL])


@EITHER
def test_a_backdoor_nobody_found_goes_all_the_same(tiny: Tiny, confidence: Confidence) -> None:
    ba, asr = tiny.figures(tiny.model)
    assert asr > 95
    purifier = doubtful(tiny, replace(SHORT, anneal=100), confidence=confidence)
    steps = list(purifier.steps())
    assert len(steps) == STAMPED_STEPS + 194
    assert all(step.check is None for step in steps)
    ba_after, asr_after = tiny.figures(purifier.result(best=True))
    # 1 to 36 in ten trainings of the victim; without stamps 68 to 100 in five of six, and 2 to 6 in one
    assert asr_after < 50
    assert ba_after > ba - 12, "of 60 images: 0 to 3 less"


def test_stamps_are_of_the_kinds_that_turn_the_victim(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    warps = torch.nn.functional.one_hot(torch.tensor(list(KINDS).index("warp")), len(KINDS)).float()
    asked: list[Tensor] = []
    monkeypatch.setattr(place, "kind_shares", lambda counts: asked.append(counts) or warps)
    purifier = doubtful(tiny)
    assert torch.equal(asked[0], flip_counts(tiny.model, tiny.x, KINDS))
    purifier.x = torch.full_like(purifier.x, 0.5)
    stamped, _ = shown(purifier, torch.arange(30))
    assert torch.allclose(stamped, purifier.x[:30], atol=1e-5), "a warp leaves it as it is"


def test_stamps_are_used_only_where_no_trigger_is_sure(tiny: Tiny) -> None:
    assert doubtful(tiny).stamps == "alone"
    assert doubtful(tiny, confidence=DOUBTFUL).stamps == "beside"
    assert make(tiny).stamps is None
    for confidence in (NONE, DOUBTFUL):
        assert doubtful(tiny, replace(SHORT, stamps=0), confidence).stamps is None


def losses(purifier: Purifier, chosen: Tensor) -> dict[str, float]:
    purifier.model.eval()  # so that what else is in the batch makes no difference
    with torch.no_grad():
        return {name: float(value) for name, value in purifier.losses(chosen).items()}


def test_in_doubt_each_image_is_trained_on_with_a_trigger_and_with_a_stamp(tiny: Tiny) -> None:
    settings, chosen = replace(SHORT, keep=0, holdout=0), torch.arange(16)
    both, stamps = (losses(doubtful(tiny, settings, one), chosen) for one in (DOUBTFUL, NONE))
    triggers = losses(doubtful(tiny, replace(settings, stamps=0), DOUBTFUL), chosen)
    assert set(both) == {"contrast", "supervised"}
    for name, value in both.items():
        assert value == pytest.approx(stamps[name] + triggers[name], rel=1e-4)


def test_against_a_trigger_in_doubt_the_margin_is_half_as_wide_again(tiny: Tiny) -> None:
    off, chosen = replace(QUICK, stamps=0, holdout=0), torch.arange(40)
    found = losses(doubtful(tiny, off, DOUBTFUL), chosen)["supervised"]
    assert found == pytest.approx(losses(doubtful(tiny, replace(off, margin=1.5 * off.margin)), chosen)["supervised"])
    assert found > losses(doubtful(tiny, off), chosen)["supervised"]


def test_the_class_a_stamp_turned_the_victim_to_is_ahead_and_no_other(tiny: Tiny) -> None:
    """At the start, by hand: the stamped images are those that the model is shown."""
    purifier, chosen = doubtful(tiny), torch.arange(60)
    x_t, _ = shown(purifier, chosen)
    assert not torch.equal(x_t, purifier.x)
    with torch.no_grad():
        logits = tiny.model(x_t)
    answers = logits.argmax(1)
    for row in range(60):
        if answers[row] != purifier.y[row]:
            logits[row, answers[row]] += SHORT.stamps
    expected = float(nn.functional.cross_entropy(logits, purifier.y))
    assert losses(purifier, chosen)["supervised"] == pytest.approx(expected, rel=1e-3)


def test_against_stamps_all_clean_images_are_trained_on_for_a_fixed_number_of_steps(tiny: Tiny) -> None:
    purifier = doubtful(tiny)
    assert len(purifier.x) == len(tiny.x)
    anneal = round((2 - 60 / 1000) * SHORT.anneal)  # six images a class
    assert purifier.total == doubtful(tiny, confidence=DOUBTFUL).total == STAMPED_STEPS + anneal == 119
    assert purifier.learning_rate(STAMPED_STEPS - 1) == purifier.peak_lr
    assert purifier.learning_rate(STAMPED_STEPS + anneal // 2) == pytest.approx(purifier.peak_lr / 2, rel=0.1)


def test_stamps_depend_on_the_step_alone(tiny: Tiny) -> None:
    one, other, chosen = doubtful(tiny), doubtful(tiny), torch.arange(30)
    first, _ = shown(one, chosen)
    assert torch.equal(first, shown(other, chosen)[0])
    other.done = 1
    assert not torch.equal(first, shown(other, chosen)[0])
