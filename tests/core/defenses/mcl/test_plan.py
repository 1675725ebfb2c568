"""What the default does with a network and its images: one case for each rule."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from core.defenses.mcl.plan import Normalisation, Plan, plan
from core.defenses.mcl.settings import MCLSettings
from core.triggers.reconstructed import Confidence

SETTINGS = MCLSettings(keep=3.0, mixed=0.25, margin=4.0, lr=0.01, anneal=100, stamps=3.0)
PLAIN = Plan(batch=64, lr=0.01, anneal=100, keep=3.0, mixed=0.25, margin=4.0, triggers=True, stamps=False)


def of(
    per_class: float = 100.0,
    normalisation: Normalisation = "batch",
    confidence: Confidence = Confidence.SURE,
    settings: MCLSettings = SETTINGS,
    side: int = 32,
) -> Plan:
    return plan(settings, per_class, normalisation, confidence, side * side)


def other(found: Plan) -> dict[str, object]:
    """What differs from the plan for plenty of images, batch norm and a trigger that is sure."""
    return {
        f.name: pytest.approx(getattr(found, f.name))
        for f in fields(Plan)
        if getattr(found, f.name) != getattr(PLAIN, f.name)
    }


@pytest.mark.parametrize("per_class", [100.0, 101.0, 5000.0])
def test_with_plenty_of_images_batch_norm_and_a_sure_trigger_the_settings_hold(per_class: float) -> None:
    assert of(per_class) == PLAIN


@pytest.mark.parametrize(
    ("per_class", "keep", "anneal", "mixed"),
    [
        (0.0, 6.0, 200, 1.0),  # twice, twice
        (50.0, 4.5, 150, 0.5),  # halfway
        (90.0, 3.3, 110, 0.25),  # the settings ask for more mixed ones than are missing
        (6.0, 3 * (1 + 0.94), 194, 0.94),
    ],
)
def test_with_few_images_the_victims_answers_weigh_more_and_annealing_takes_longer(
    per_class: float, keep: float, anneal: int, mixed: float
) -> None:
    expected = {"keep": keep, "anneal": anneal, "mixed": mixed}
    if mixed == SETTINGS.mixed:
        del expected["mixed"]
    assert other(of(per_class)) == expected


def test_where_layers_normalise_otherwise_it_is_as_if_images_were_few_and_annealing_takes_twice_as_long() -> None:
    half = {"keep": 4.5, "mixed": 0.5, "anneal": 200}
    assert other(of(normalisation="other")) == half
    assert of(60, "other") == of(normalisation="other"), "no fewer than half"
    assert of(10, "other").keep == of(10).keep, "fewer images count as they are"


def test_where_nothing_normalises_the_rate_is_a_tenth_too() -> None:
    assert other(of(normalisation="none")) == {"keep": 4.5, "mixed": 0.5, "anneal": 150, "lr": 0.001}
    assert of(10, "none") == replace(of(10), lr=pytest.approx(0.001))


def test_against_a_trigger_in_doubt_the_margin_is_wider_and_stamps_come_beside_it_for_longer() -> None:
    found = of(confidence=Confidence.DOUBTFUL)
    assert other(found) == {"margin": 6.0, "stamps": True, "anneal": 150, "keep": 0.75, "mixed": 0.0}
    assert of(0, confidence=Confidence.DOUBTFUL).anneal == 200, "the longer of both and not their product"


def test_where_no_trigger_is_trusted_stamps_stand_alone() -> None:
    assert other(of(confidence=Confidence.NONE)) == {
        "stamps": True,
        "triggers": False,
        "anneal": 150,
        "keep": 0.75,
        "mixed": 0.0,
    }


@pytest.mark.parametrize("confidence", [Confidence.NONE, Confidence.DOUBTFUL])
def test_without_stamps_there_are_the_triggers_whatever_they_are_worth(confidence: Confidence) -> None:
    found = of(confidence=confidence, settings=replace(SETTINGS, stamps=0))
    assert (found.triggers, found.stamps, found.anneal) == (True, False, 100)


def test_nothing_is_mixed_where_the_settings_say_so() -> None:
    assert of(0, settings=replace(SETTINGS, mixed=0)).mixed == 0
    assert of(settings=replace(SETTINGS, mixed=1)).mixed == 1


def test_a_weight_of_0_stays_0() -> None:
    assert of(3, "none", Confidence.DOUBTFUL, replace(SETTINGS, keep=0.0)).keep == 0


@pytest.mark.parametrize(("side", "batch"), [(8, 64), (28, 64), (32, 64), (64, 45), (128, 32), (224, 24)])
def test_of_large_images_a_step_needs_fewer(side: int, batch: int) -> None:
    assert of(side=side) == replace(PLAIN, batch=batch)
