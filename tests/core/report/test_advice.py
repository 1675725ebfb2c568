from __future__ import annotations

from typing import Any

import pytest

from core.report.advice import ASR_LIMIT, BA_LIMIT, advise, figures, works
from core.report.facts import gather
from core.runs.spec import Spec
from tests.core.report.conftest import Make, story

SCAN = Spec(victim="signs-badnets", images="signs", scan_only=True)
OWN = Spec(weights="bought.pth", images="signs")
OWN_SCAN = Spec(weights="bought.pth", images="signs", scan_only=True)


@pytest.mark.parametrize(
    ("events", "spec", "choice", "reasons"),
    [
        ({}, None, "purified", ("purified",)),
        ({"kind": "estimated"}, OWN, "purified", ("purified",)),
        ({"asr": (98.9, 4.5)}, None, "again", ("attack_stays", "more")),  # 4.5 %, but the interval reaches above 5 %
        ({"asr": (98.9, 60.0)}, None, "again", ("attack_stays", "more")),
        ({"ba": (97.3, 95.3)}, None, "purified", ("purified",)),  # two points, and no more
        ({"ba": (97.3, 95.2), "held": None}, None, "again", ("ba_lost", "more")),  # a preset without a guard
        ({"held": False}, None, "refuse", ("not_held", "more")),
        ({"verdict": "none"}, None, "purified", ("purified", "unseen")),  # the lab knows better than the scan
        ({"verdict": "none", "asr": (1.0, 0.5)}, None, "accept", ("accept",)),
        ({"verdict": "none", "kind": "estimated"}, OWN, "accept", ("accept",)),  # an estimate alone shows nothing
        ({"verdict": "some", "asr": (98.9, None)}, SCAN, "purify", ("signs",)),
        ({"verdict": "strong", "asr": (98.9, None)}, None, "purify", ("signs", "unfinished")),
        ({"verdict": "none", "asr": (98.9, None)}, SCAN, "purify", ("known",)),
        ({"verdict": "none", "asr": (98.9, None), "kind": "estimated"}, OWN_SCAN, "accept", ("accept",)),
        ({"verdict": None}, None, "purified", ("purified",)),  # a defence that needs no scan
        ({"verdict": None, "asr": (98.9, None)}, None, "open", ("open",)),
        ({"facts": {}, "asr": (98.9, None)}, SCAN, "open", ("open",)),  # an old record without a verdict
        ({"asr": (float("nan"), float("nan"))}, None, "again", ("attack_stays", "more")),
    ],
)
def test_the_figures_decide(
    make_run: Make, events: dict[str, Any], spec: Spec | None, choice: str, reasons: tuple[str, ...]
) -> None:
    advice = advise(gather(make_run(story(**events), spec=spec)))
    assert (advice.choice, advice.reasons) == (choice, reasons)


@pytest.mark.parametrize(("held", "reasons"), [(True, ("accept", "precaution")), (False, ("accept",))])
def test_a_copy_made_as_a_precaution_is_told_of(make_run: Make, held: bool, reasons: tuple[str, ...]) -> None:
    """Purified against random stamps, since there was no sign: there are two models to choose from then."""
    run = make_run(
        story(verdict="none", kind="estimated", held=held), spec=OWN, result={"stamps": "alone", "ba_held": held}
    )
    assert advise(gather(run)).reasons == reasons


@pytest.mark.parametrize(("held", "reasons"), [(True, ("accept", "wary", "copy")), (False, ("accept", "wary"))])
def test_what_copies_fell_back_on_is_a_reason_to_prefer_the_purified_one(
    make_run: Make, held: bool, reasons: tuple[str, ...]
) -> None:
    events = story(verdict="none", kind="estimated", held=held, facts={"gap": 1.0, "fallen_back": 81.0})
    run = make_run(events, spec=OWN, result={"stamps": "beside", "ba_held": held})
    assert advise(gather(run)).reasons == reasons


def test_nothing_is_recommended_before_there_is_something_to_go_by(make_run: Make) -> None:
    advice = advise(gather(make_run([], status="stopped")))
    assert advice.choice == "open"
    assert advice.row is None


def test_an_estimate_never_counts_as_a_known_trigger(make_run: Make) -> None:
    assert works(gather(make_run(story(), name="lab")))
    assert not works(gather(make_run(story(kind="estimated"), spec=OWN, name="field")))


def test_a_program_is_told_choice_reasons_and_limits(make_run: Make) -> None:
    assert figures(gather(make_run())) == {
        "recommendation": "purified",
        "reasons": ["purified"],
        "limits": {"asr_below": ASR_LIMIT, "ba_lost_at_most": BA_LIMIT},
    }
