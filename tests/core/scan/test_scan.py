"""The scan: which class the forms speak for together."""

from __future__ import annotations

import math
from collections.abc import Generator
from copy import deepcopy
from dataclasses import replace
from math import inf, nan

import pytest
import torch
from torch import Tensor, nn, tensor

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.inversion import Inverted
from core.scan.scan import Scan, lead, scan, suspicion, until_decisive
from core.scan.verdict import judge
from tests.core.tiny import Tiny


def form(name: str, sizes: list[float], rates: list[float] | None = None) -> Inverted:
    count = len(sizes)
    masks = torch.ones(count, 1, 4, 4) if name == "mask" else None
    rate = tensor(rates or [1.0] * count)
    return Inverted(name, masks, torch.zeros(count, 3, 4, 4), tensor(sizes).float(), rate)


def made(*forms: Inverted) -> Scan:
    score = suspicion(forms)
    return Scan(forms, score, int(score.argmax()))


PATCH = made(form("mask", [40, 8, 44, 48]), form("pixel", [40, 10, 38, 42]), form("smooth", [90, 130, 110, 100]))


def test_a_form_that_does_not_suit_the_trigger_counts_little_against_it() -> None:
    assert PATCH.target == 1
    assert PATCH.main.form == "mask"
    assert PATCH.gap(PATCH.main) == 5
    assert judge(PATCH).grade == "strong"


def test_only_the_forms_in_which_the_target_stands_out_give_triggers() -> None:
    assert [trigger.form for trigger in PATCH.triggers()] == ["mask", "pixel"]
    assert {trigger.target for trigger in PATCH.triggers()} == {1}
    assert {trigger.target for trigger in PATCH.of(3).triggers()} == {3}


def test_a_trigger_that_does_not_work_is_left_out_unless_there_is_no_other() -> None:
    pixel = form("pixel", [40, 10, 38, 42], [1.0, 0.2, 1.0, 1.0])
    assert [t.form for t in made(PATCH.forms[0], pixel).triggers()] == ["mask"]
    assert [t.form for t in made(pixel).triggers()] == ["pixel"]


def test_equal_classes_are_no_sign() -> None:
    even = made(form("mask", [40, 42, 44, 41]), form("pixel", [30, 31, 29, 33]))
    assert judge(even).grade == "none"
    assert abs(float(even.suspicion[even.target])) < 0.5


# a sticker each for classes 1 and 3, nearly as small; they stand out by 3.7 and 3.5 octaves
TWO = made(form("mask", [40, 4, 44, 4.5, 42, 41, 40, 43]), form("pixel", [40, 8, 38, 9, 42, 41, 40, 41]))


def test_one_backdoor_does_not_hide_another() -> None:
    for label, gap in ((1, 10.0), (3, 40 / 4.5)):
        found = TWO.of(label)
        assert found.gap(found.main) == pytest.approx(gap)
        assert judge(found).sure
        assert found.triggers()[0].form == "mask"


def test_while_two_classes_stand_out_alike_no_form_settles_the_scan() -> None:
    assert not TWO.decisive
    assert made(form("mask", [40, 0.4, 44, 4.5, 42, 41, 40, 43])).decisive


def test_a_class_never_reached_or_out_in_the_prescreen_is_never_suspect() -> None:
    found = made(form("mask", [inf, 40, nan, 44, 42, 39]), form("pixel", [30, 31, nan, 29, inf, 33]))
    assert found.suspicion.isfinite().all()
    assert found.target not in (2,)
    assert judge(found).grade == "none"


def test_what_is_said_of_a_given_class_is_said_of_that_class() -> None:
    given = PATCH.of(3)
    assert given.index(given.main) < 1 < PATCH.index(PATCH.main)
    assert judge(given).grade == "none"
    assert judge(given).facts["size"] == float(given.main.sizes[3])


def test_a_class_that_alone_was_reached_is_compared_with_the_whole_picture() -> None:
    alone = made(form("mask", [inf, 8.0, inf, inf]))
    assert alone.target == 1
    assert alone.gap(alone.main) == 2.0  # the picture has 4 x 4 pixels


def reached(*early: float) -> Inverted:
    return replace(form("mask", [40.0] * len(early)), early_loss=tensor(early))


def test_only_a_class_far_ahead_of_the_rest_has_a_lead() -> None:
    ahead = reached(2.0, 0.5, 2.1, 1.9, 2.2)
    assert lead(ahead).tolist() == pytest.approx([0, math.log2(1.9 / 0.5), 0, 0, 0])
    assert not lead(reached(2.0, 1.2, 2.9, 1.5, 2.4)).any(), "one of a wide field"
    assert float(lead(reached(2.0, 1e-9, 2.1, 1.9, 2.2)).max()) == 3.0
    assert not lead(reached(2.0, 2.0, 2.0, 2.0)).any()
    assert not lead(reached(2.0, 0.1, 2.0)).any(), "too few to compare with"
    assert not lead(form("mask", [40, 8, 44, 48])).any()


def test_a_lead_adds_to_the_suspicion() -> None:
    found = made(reached(2.0, 0.5, 2.1, 1.9, 2.2), reached(2.0, 1.9, 0.5, 2.1, 2.2))
    assert found.suspicion[1] == pytest.approx(found.suspicion[2]) == pytest.approx(math.log2(1.9 / 0.5))
    assert found.lead == pytest.approx(math.log2(1.9 / 0.5))
    assert found.lead_ratio == pytest.approx(1.9 / 0.5)
    assert found.of(0).lead == 0
    assert found.of(0).lead_ratio == 1


def test_no_trigger_for_any_class() -> None:
    nothing = made(form("mask", [inf] * 3), form("pixel", [inf] * 3))
    assert judge(nothing).grade == "none"
    assert len(nothing.triggers()) >= 1


@pytest.mark.parametrize(("other", "forms"), [(4.0, ["mask"]), (2.0, [*FORMS])])
def test_it_stops_at_the_form_that_settles_it(other: float, forms: list[str]) -> None:
    begun: list[str] = []

    def inversion(name: str) -> Generator[tuple[int, int], None, Inverted]:
        begun.append(name)
        yield 1, 2
        yield 2, 2
        return form(name, [1.0, other, other] if name == "mask" else [20.0, 21.0, 22.0])

    search = Returning(until_decisive([inversion(name) for name in FORMS], [30, 20, 10], lambda: False))
    units = 100 * len(FORMS)  # of 60 images, 15 are through in the middle of the first form, 40 of the second, 55
    assert list(search) == [*((done, units) for done in (75, 200, 275)[: len(forms)]), (units, units)]
    assert [each.form for each in search.result.forms] == forms == begun


def test_the_victim_is_strongly_suspected_and_the_steps_are_counted(tiny: Tiny) -> None:
    search = Returning(scan(tiny.model, tiny.x))
    seen = list(search)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    done, total = seen[-1]
    assert done == total
    found = search.result
    assert found.target == tiny.target
    verdict = judge(found)
    assert verdict.grade == "strong"
    assert verdict.facts["suspicion"] > verdict.facts["second_suspicion"] + 0.5, "1.5 to 3.2 more"
    assert tiny.figures(tiny.model, found.triggers()[0])[1] > 50  # type: ignore[arg-type]


def counted(model: Classifier, images: Tensor) -> tuple[list[tuple[float, float]], Scan]:
    """A scan's progress, each beside the share of its images that had gone through the network; and its result."""
    passed, watched = [0], deepcopy(model)

    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        passed[0] += len(inputs[0])

    watched.register_forward_pre_hook(count)  # copies of the network have it too
    search = Returning(scan(watched, images))
    told = [(done / total, passed[0]) for done, total in search]
    return [(share, images / passed[0]) for share, images in told], search.result


def test_progress_is_the_share_of_the_images_that_went_through(tiny: Tiny, honest: Classifier) -> None:
    told, found = counted(honest, tiny.x)
    assert len(found.forms) == len(FORMS)
    assert max(abs(share - images) for share, images in told) < 0.02


def test_once_a_class_is_far_ahead_the_forms_that_will_not_be_needed_count_no_more(tiny: Tiny) -> None:
    told, found = counted(tiny.model, tiny.x)
    assert len(found.forms) == 1
    assert max(abs(share - images) for share, images in told if images > 0.5) < 0.02


def test_progress_falls_back_to_the_share_that_is_done_when_a_class_is_caught_up_with() -> None:
    def inversion() -> Generator[tuple[int, int], None, Inverted]:
        for step in range(40):
            yield step + 1, 40
        return form("mask", [20.0, 21.0, 22.0])

    told = iter([*[False] * 4, *[True] * 2, *[False] * 100])  # asked at every fifth step
    steps = [done for done, _ in until_decisive([inversion() for _ in FORMS], [40] * len(FORMS), lambda: next(told))]
    units, last = 100 * len(FORMS), len(FORMS) * 40
    assert steps[19] == units * 20 // last
    assert steps[20:30] == [units * done // 40 for done in range(21, 31)], "as if this form were the last"
    assert steps[30] == units * 31 // last
    assert steps[-1] == units
