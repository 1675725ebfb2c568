"""MCL where no trigger is sure: how hard it pushes against one in doubt, and random stamps beside it or alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.defenses import mcl
from core.defenses.mcl import Purifier
from core.defenses.settings import settings_for
from core.stamps import KINDS, turned
from tests.core.defenses.purifiers import QUICK, doubtful, make
from tests.core.tiny import Tiny


def test_the_margin_is_the_triggers_own_push_times_that_of_the_settings(tiny: Tiny) -> None:
    half = replace(tiny.aimed, push=0.5)
    purifier = Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed, half], QUICK)
    assert purifier.margins.tolist() == pytest.approx([QUICK.margin, 0.5 * QUICK.margin])


@pytest.mark.parametrize("push", [0.0, 1.5])
def test_a_backdoor_nobody_found_goes_all_the_same(tiny: Tiny, push: float) -> None:
    ba, asr = tiny.figures(tiny.model)
    assert asr > 95
    purifier = doubtful(tiny, push=push)
    for _ in purifier.steps():
        pass
    ba_after, asr_after = tiny.figures(purifier.result(best=True))
    assert asr_after < 20
    assert ba_after > ba - 8  # of 60 images: from one kind of processor to another it is 3 to 6


def test_stamps_are_of_the_kinds_that_turn_the_victim(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    warps = torch.nn.functional.one_hot(torch.tensor(list(KINDS).index("warp")), len(KINDS)).float()
    asked: list[Tensor] = []
    monkeypatch.setattr(mcl, "shares", lambda counts: asked.append(counts) or warps)
    purifier = doubtful(tiny)
    assert torch.equal(asked[0], turned(tiny.model, tiny.x, KINDS))
    flat = torch.full_like(purifier.x, 0.5)
    assert torch.allclose(purifier._stamped(flat, purifier.y)[0], flat, atol=1e-5), "a warp leaves it as it is"


def test_stamps_are_used_only_where_no_trigger_is_sure(tiny: Tiny) -> None:
    assert doubtful(tiny).stamps == "alone"
    assert doubtful(tiny, push=1.5).stamps == "beside"
    assert make(tiny).stamps is None
    for push in (0.0, 1.5):
        assert doubtful(tiny, settings_for("published"), push).stamps is None
        assert doubtful(tiny, settings_for("default", stamps=0), push).stamps is None


def test_in_doubt_each_image_is_trained_on_with_a_trigger_and_with_a_stamp(tiny: Tiny) -> None:
    settings = settings_for("default", batch=16, keep=0, clean=0, holdout=0)
    chosen = torch.arange(16)

    def losses(purifier: Purifier) -> dict[str, float]:
        purifier.model.eval()  # so that what else is in the batch makes no difference
        return {name: float(value.detach()) for name, value in purifier.losses(chosen).items()}

    both, stamps = losses(doubtful(tiny, settings, push=1.5)), losses(doubtful(tiny, settings))
    triggers = losses(doubtful(tiny, replace(settings, stamps=0), push=1.5))
    assert set(both) == {"contrast", "supervised"}
    for name, value in both.items():
        assert value == pytest.approx(stamps[name] + triggers[name], rel=1e-4)


def test_against_stamps_all_clean_images_are_trained_on_for_a_fixed_number_of_steps(tiny: Tiny) -> None:
    purifier = doubtful(tiny)
    assert len(purifier.x) == len(tiny.x)
    mend = round((1 + 2 * (1 - 60 / 1000)) * 20)  # six images a class
    assert purifier.total == doubtful(tiny, push=1.5).total == 40 + mend == 98
    assert purifier.learning_rate(39) == purifier.settings.lr[0]
    assert purifier.learning_rate(40 + mend // 2) == pytest.approx(purifier.settings.lr[0] / 2)
    steps = list(purifier.steps())
    assert len(steps) == 98
    assert all(step.check is None for step in steps)


def test_mending_takes_longer_where_clean_images_are_few_and_twice_as_long_against_stamps(tiny: Tiny) -> None:
    chosen = settings_for("default", mend=20)
    many = tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20)
    assert make(tiny, chosen).mend == doubtful(tiny, chosen).mend == 58
    assert Purifier(tiny.model, *many, [tiny.aimed], chosen).mend == 20
    assert Purifier(tiny.model, *many, [replace(tiny.aimed, push=0.0)], chosen).mend == 40


def test_the_class_a_stamp_turned_the_victim_to_is_ahead_and_no_other(tiny: Tiny) -> None:
    purifier = doubtful(tiny)
    x_t, features0, lead = purifier._stamped(purifier.x, purifier.y)
    assert not torch.equal(x_t, purifier.x)
    seen, logits = tiny.model.features_and_logits(x_t)
    torch.testing.assert_close(features0, seen.detach(), rtol=1e-4, atol=1e-5)
    turned = logits.argmax(1) != purifier.y
    assert torch.equal(lead.sum(1) > 0, turned)
    assert torch.equal(lead[turned].argmax(1), logits.argmax(1)[turned])
    assert set(lead.unique().tolist()) <= {0.0, purifier.settings.stamps}


def test_stamps_depend_on_the_step_alone(tiny: Tiny) -> None:
    one, other = doubtful(tiny), doubtful(tiny)
    first = one._stamped(one.x, one.y)[0]
    assert torch.equal(first, other._stamped(other.x, other.y)[0])
    other.done = 1
    assert not torch.equal(first, other._stamped(other.x, other.y)[0])
