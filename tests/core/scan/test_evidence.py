"""Whom a scan names where triggers, warps or unlearning show a sign, and how far its triggers are trusted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.compute.returning import Returning
from core.data import signs
from core.models.classifier import Classifier
from core.scan.evidence import Evidence, confidence, gathered
from core.scan.inversion import Inverted
from core.scan.scan import Scan, suspicion
from core.scan.thresholds import MIN_UNLEARNING_IMAGES
from core.scan.verdict import Verdict, judge
from core.triggers.reconstructed import PUSH, Confidence
from core.victims import card_of, load_victim
from tests.core.scan.quarters import quarters


def scan_of(sizes: list[float], rates: list[float] | None = None) -> Scan:
    """A scan of one form whose triggers have these sizes and rates."""
    rate = torch.tensor(rates or [1.0] * len(sizes))
    form = Inverted("pixel", None, torch.zeros(len(sizes), 3, 8, 8), torch.tensor(sizes), rate)
    score = suspicion((form,))
    return Scan((form,), score, int(score.argmax()))


def even(classes: int, rates: list[float] | None = None) -> Scan:
    """A scan that shows no sign; class 0 has the smallest trigger."""
    found = scan_of([40.0 + k for k in range(classes)], rates)
    assert (found.target, judge(found).grade) == (0, "none")
    return found


def all_of(found: Scan, model: Classifier, images: Tensor, labels: Tensor) -> tuple[Evidence, list[tuple[int, int]]]:
    """The evidence, and the steps on the way to it."""
    steps = Returning(gathered(found, model, images, labels))
    told = list(steps)
    return steps.result, told


WEIGHT, FAVOURED, FAVOURING = 0.1, 2, 0.5  # a network whose copies fall back on class 2, that has the largest bias


def test_warps_that_lead_to_a_class_are_a_sign_and_the_nearest_is_the_trigger() -> None:
    model, card = load_victim("signs-wanet"), card_of("signs-wanet")
    images = signs.draw(torch.arange(300), "test")
    found, told = all_of(even(card.classes), model, images, signs.labels("test")[:300])
    assert (found.scan.target, found.verdict.grade) == (card.target, "some")
    assert 60 < found.verdict.facts["warped"] < 90
    assert found.verdict.facts["size"] == 40.0 + card.target, "the other figures are those of that class"
    assert found.verdict.hint
    assert not found.verdict.sure
    (trigger,) = found.triggers()
    assert (trigger.form, trigger.target) == ("warp", card.target)
    assert 0.3 < float(trigger.pattern[:2].abs().mean()) <= 2.001, "pixels"
    assert told == sorted(told)


def test_where_triggers_show_a_sign_nothing_else_is_tried() -> None:
    model, card = load_victim("signs-wanet"), card_of("signs-wanet")
    strong = scan_of([4.0 if k == 5 else 60.0 for k in range(card.classes)])
    images = signs.draw(torch.arange(8), "test")
    found, told = all_of(strong, model, images, signs.labels("test")[:8])
    assert found == Evidence(strong, judge(strong))
    assert (found.scan.target, found.verdict.grade) == (5, "strong")
    assert told == [(0, 1)], "of eight images warps say nothing"


def test_a_class_that_warps_lead_to_stands_out_beside_the_one_that_triggers_name() -> None:
    model, card = load_victim("signs-wanet"), card_of("signs-wanet")
    images, labels = signs.draw(torch.arange(300), "test"), signs.labels("test")[:300]
    strong, own = (scan_of([4.0 if k == at else 60.0 for k in range(card.classes)]) for at in (5, card.target))
    found, told = all_of(strong, model, images, labels)
    assert (found.scan.target, found.verdict.grade, found.others) == (5, "strong", [card.target])
    assert [(one.form, one.target) for one in found.triggers()] == [("pixel", 5), ("warp", card.target)]
    assert found.of(card.target)[0] == found.triggers()[1:]
    assert told == sorted(told)
    assert all_of(own, model, images, labels)[0].others == [], "it is the one that was named"


def test_without_a_sign_the_class_that_copies_fall_back_on_is_the_one_to_be_wary_of() -> None:
    found, told = all_of(even(4), *quarters(WEIGHT, FAVOURING, MIN_UNLEARNING_IMAGES))
    assert (found.scan.target, found.verdict.grade) == (FAVOURED, "none")
    assert found.verdict.facts["fallen_back"] >= 70
    assert found.verdict.facts["size"] == 42.0
    assert found.verdict.hint
    assert {trigger.target for trigger in found.triggers()} == {FAVOURED}
    assert told[-1][0] == told[-1][1] > 1


@pytest.mark.parametrize(
    ("favoured", "count", "rates", "unlearnt"),
    [
        (0.0, MIN_UNLEARNING_IMAGES, None, True),  # no class is favoured clearly enough
        (1.0, MIN_UNLEARNING_IMAGES - 1, None, False),  # too few images to ask
        (1.0, MIN_UNLEARNING_IMAGES, [1.0, 1.0, 0.2, 1.0], True),  # no trigger leads to the class
    ],
)
def test_what_is_not_clear_changes_nothing(
    favoured: float, count: int, rates: list[float] | None, unlearnt: bool
) -> None:
    scan = even(4, rates)
    found, told = all_of(scan, *quarters(WEIGHT, favoured * FAVOURING, count))
    assert found == Evidence(scan, judge(scan))
    assert (len(told) > 1) is unlearnt


@pytest.mark.parametrize(
    ("verdict", "given", "push"),
    [
        (Verdict("strong", sure=True), False, 1.0),
        (Verdict("strong"), False, 1.5),
        (Verdict("some"), False, 1.5),
        (Verdict("none", hint=True), False, 1.5),
        (Verdict("none", hint=False), False, 0.0),
        (Verdict("none", hint=False), True, 1.0),
    ],
)
def test_the_less_a_backdoor_shows_the_harder_it_is_pushed_against_unless_nothing_shows(
    verdict: Verdict, given: bool, push: float
) -> None:
    assert PUSH[confidence(verdict, given)] == push


def test_of_other_classes_that_stand_out_there_are_triggers_too_after_those_of_the_first() -> None:
    two = scan_of([40.0, 3.0, 42.0, 2.0, 41.0, 40.0])
    found = Evidence(two, judge(two))
    assert found.others == [1]
    assert [trigger.target for trigger in found.triggers()] == [3, 1]
    assert [trigger.target for trigger in found.triggers(2)] == [2], "a target that was given is an order"
    assert found.confidence() is found.confidence(2) is Confidence.SURE


def test_a_class_that_something_else_named_has_the_triggers_that_work_towards_it_or_none() -> None:
    scan = scan_of([40.0, 3.0, 42.0, 2.0, 41.0, 40.0], [1.0, 0.6, 1.0, 1.0, 0.4, 1.0])
    found = Evidence(scan, judge(scan))
    for label, trusted in ((3, Confidence.SURE), (1, Confidence.DOUBTFUL)):
        triggers, confidence_in = found.of(label)
        assert [trigger.target for trigger in triggers] == [label]
        assert confidence_in is trusted
    assert found.of(4) == ([], Confidence.NONE)


def test_triggers_are_trusted_as_far_as_those_of_the_class_that_was_named() -> None:
    doubtful = scan_of([40.0, 5.5, 42.0, 2.0, 41.0, 40.0])
    found = Evidence(doubtful, judge(doubtful))
    assert (found.others, found.verdict.sure) == ([1], True)
    assert found.confidence() is Confidence.SURE, "though the other is by 2.9 octaves"
    assert found.confidence(3) is Confidence.SURE
    even_scan = even(6)
    assert Evidence(even_scan, judge(even_scan)).confidence() is Confidence.NONE


def test_of_a_target_that_was_given_the_triggers_are_those() -> None:
    scan = even(6)
    assert {trigger.target for trigger in Evidence(scan, judge(scan)).triggers(3)} == {3}
    assert {trigger.target for trigger in Evidence(scan, judge(scan)).triggers()} == {0}
