from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.events import Event, Measured
from core.report import Wording
from core.report.advice import ASR_LIMIT, BA_LIMIT, advise, figures, works
from core.report.facts import gather
from core.runs.spec import Spec
from core.words import Words
from tests.core.report.conftest import Make, story

SCAN = Spec(victim="signs-badnets", images="signs", scan_only=True)
OWN = Spec(weights="bought.pth", images="signs")
OWN_SCAN = Spec(weights="bought.pth", images="signs", scan_only=True)


@pytest.mark.parametrize(
    ("events", "spec", "choice", "reasons"),
    [
        ({}, None, "purified", ("purified",)),
        ({"kind": "estimated"}, OWN, "purified", ("purified",)),
        ({"kind": "estimated", "asr": (98.9, 7.0)}, OWN, "purified", ("purified",)),  # the grade knows what is usual
        ({"asr": (98.9, 4.5)}, None, "again", ("attack_stays", "more")),  # 4.5 %, but the interval reaches above 5 %
        ({"asr": (98.9, 60.0)}, None, "again", ("attack_stays", "more")),
        ({"ba": (97.3, 95.3)}, None, "purified", ("purified",)),  # two points, and no more
        ({"ba": (97.3, 95.2), "held": None}, None, "again", ("ba_lost", "more")),  # a preset without a guard
        ({"asr": (98.9, 12.0)}, None, "again", ("attack_stays", "more")),  # whatever the grade says
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


CURED = {
    # cure, reasons, held: what follows where the scan saw signs, and where it saw none
    ("holds", (), True): ("purified", "accept"),
    ("holds", (), None): ("purified", "accept"),
    ("holds", (), False): ("refuse", "accept"),
    ("doubt", ("shared",), True): ("doubt", "doubt"),
    ("doubt", ("images",), True): ("doubt", "accept"),
    ("doubt", ("unknown", "images"), None): ("doubt", "accept"),
    ("doubt", ("path",), False): ("refuse", "refuse"),
    ("doubt", (), True): ("doubt", "doubt"),
    ("failed", ("fresh",), True): ("again", "again"),
    ("failed", ("fresh",), False): ("refuse", "refuse"),
    (None, (), True): ("ungraded", "accept"),
    (None, (), False): ("refuse", "accept"),
}


@pytest.mark.parametrize("kind", ["true", "estimated"])
@pytest.mark.parametrize("verdict", ["strong", "some", "none"])
@pytest.mark.parametrize("case", CURED)
def test_the_grade_of_the_cure_leads(make_run: Make, case: tuple, verdict: str, kind: str) -> None:
    """In the lab the known trigger worked before, so that what the scan saw does not matter."""
    (cure, reasons, held), spec = case, OWN if kind == "estimated" else None
    advice = advise(
        gather(make_run(story(kind=kind, verdict=verdict, cure=cure, reasons=reasons, held=held), spec=spec))
    )
    signs, none = CURED[case]
    assert advice.choice == (none if verdict == "none" and kind == "estimated" else signs)


@pytest.mark.parametrize(("after", "told"), [(78.0, True), (84.0, False)])
@pytest.mark.parametrize("cure", ["holds", "doubt"])
def test_a_target_class_that_pays_for_the_cure_is_told(make_run: Make, cure: str, after: float, told: bool) -> None:
    def measured(event: Event) -> Event:
        if not isinstance(event, Measured):
            return event
        return replace(event, target_ba=88.0 if event.when == "before" else after)

    run = make_run([measured(event) for event in story(cure=cure, reasons=("path",) if cure == "doubt" else ())])
    facts = gather(run)
    assert ("target_lost" in advise(facts).reasons) == told
    said = Wording(facts, Words("en")).reasons()
    assert any("78" in sentence and "88" in sentence for sentence in said) == told


@pytest.mark.parametrize("cure", [None, "doubt", "failed"])
def test_a_low_estimate_alone_never_recommends_the_purified_model(make_run: Make, cure: str | None) -> None:
    facts = gather(make_run(story(kind="estimated", asr=(99.0, 0.0), cure=cure, reasons=("shared",)), spec=OWN))
    assert advise(facts).choice not in ("accept", "purified")


def test_a_high_estimate_without_a_grade_is_refused(make_run: Make) -> None:
    facts = gather(make_run(story(kind="estimated", asr=(98.9, 60.0), cure=None), spec=OWN))
    assert advise(facts).choice == "again"


def test_what_was_handed_out_all_the_same_is_not_called_withheld(make_run: Make) -> None:
    spec = Spec(victim="signs-badnets", images="signs", accept="not-cured")
    told, kept = (make_run(story(cure="failed"), spec=one, name=name) for name, one in (("a", spec), ("b", None)))
    assert advise(gather(told)).reasons[0] == "not_cured_accepted"
    assert advise(gather(kept)).reasons[0] == "not_cured"


@pytest.mark.parametrize(("held", "reasons"), [(True, ("accept", "precaution")), (False, ("accept",))])
def test_a_copy_made_as_a_precaution_is_told_of(make_run: Make, held: bool, reasons: tuple[str, ...]) -> None:
    """Purified against random stamps, since there was no sign: there are two models to choose from then."""
    run = make_run(
        story(verdict="none", kind="estimated", held=held), spec=OWN,
        result={"stamps": "alone", "ba_held": held, "cure": "holds"},
    )  # fmt: skip
    assert advise(gather(run)).reasons == reasons


def test_a_copy_that_was_not_proven_is_told_of_as_such(make_run: Make) -> None:
    events = story(verdict="none", kind="estimated", cure="doubt", reasons=("unknown",))
    result = {"stamps": "alone", "ba_held": True, "cure": "doubt", "cure_reasons": ["unknown"]}
    assert advise(gather(make_run(events, spec=OWN, result=result))).reasons == ("accept", "precaution", "unproven")


@pytest.mark.parametrize(("held", "reasons"), [(True, ("accept", "wary", "copy")), (False, ("accept", "wary"))])
def test_what_copies_fell_back_on_is_a_reason_to_prefer_the_purified_one(
    make_run: Make, held: bool, reasons: tuple[str, ...]
) -> None:
    events = story(verdict="none", kind="estimated", held=held, facts={"gap": 1.0, "fallen_back": 81.0})
    run = make_run(events, spec=OWN, result={"stamps": "beside", "ba_held": held, "cure": "holds"})
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
        "cure": "holds",
        "cure_reasons": [],
        "limits": {"asr_below": ASR_LIMIT, "ba_lost_at_most": BA_LIMIT},
    }
