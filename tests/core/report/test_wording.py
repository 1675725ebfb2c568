from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.report import Wording
from core.runs.spec import Spec
from core.words import LANGUAGES
from tests.core.report.conftest import story

Say = Callable[..., Wording]
STATES: dict[str, dict[str, Any]] = {
    "done": {},
    "field": {"events": story(kind="estimated"), "spec": Spec(weights="bought.pth", images="photos")},
    "given": {"events": story(kind="estimated"), "spec": Spec(weights="bought.pth", images="photos", target=1)},
    "refused": {"events": story(held=False)},
    "again": {"events": story(asr=(98.9, 60.0), ba=(97.0, 90.0), held=None)},
    "scan": {
        "events": story(asr=(98.9, None), frames=0),
        "spec": Spec(victim="signs-badnets", images="signs", scan_only=True),
    },
    "nothing found": {"events": story(verdict="none", target=1)},
    "no scan": {"events": story(verdict=None)},
    "old": {"events": story(facts={})},
    "stopped": {"events": story(asr=(98.9, None)), "status": "stopped"},
    "lost": {"events": story(asr=(98.9, None)), "status": "running"},
    "failed": {"events": [], "status": "failed", "failure": {"code": "x", "message": "It broke.", "facts": {}}},
    "unmeasurable": {"events": story(asr=(float("nan"), float("nan")))},
    "doubt": {"events": story(cure="doubt", reasons=("shared", "path", "images"))},
    "nothing to test with": {"events": story(verdict="none", cure="doubt", reasons=("unknown",))},
    "not cured": {"events": story(cure="failed", reasons=("true", "fresh", "others", "scan", "revival"))},
    "ungraded": {"events": story(cure=None)},
    "another defence": {"spec": Spec(victim="signs-badnets", images="signs", defence="of_the_future")},
}


def everything(say: Wording) -> list[str]:
    items = [part for item in (*say.decide(), *say.steps()) for part in (item.name, item.text, item.here)]
    said = [say.model, say.target, say.things, say.verdict(), say.recommendation(), *say.state(), *say.evidence()]
    said += [*say.cure(), *(sentence for _, sentence in say.proof())]
    return [*said, *say.reasons(), *say.questions(), *say.phrases(), *say.limits(), *items]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_run_is_told_in_whole_sentences(say: Say, state: str, language: str) -> None:
    said = everything(say(language=language, **STATES[state]))
    assert all("{" not in sentence and "None" not in sentence and "nan" not in sentence for sentence in said)
    if state not in ("unmeasurable", "failed"):
        assert not [sentence for sentence in said if "–" in sentence]  # no dash where a figure should be


def test_the_figures_of_the_run_stand_in_the_checklist(say: Say) -> None:
    told = say()
    assert "97.3\u00a0%" in "".join(told.questions())
    assert "3,000" in "".join(told.questions())
    assert "abababababab" in "".join(told.questions())
    steps = {item.name: item.text for item in told.steps()}
    assert "98.9\u00a0%" in steps["Measure"]
    assert "600" in steps["Purify"]
    assert "1 min 5 s" in steps["Purify"]
    assert "96.2\u00a0%" in steps["Keep watching"]  # the lower end of the interval of the accuracy after
    assert "1.3\u00a0%" in "".join(told.reasons())
    assert "−0.4\u00a0points" in "".join(told.phrases())


def test_what_applies_is_marked_once(say: Say) -> None:
    assert [item.applies for item in say().decide()] == [True, False, False]  # recommended: the purified model


def test_a_refused_run_sets_no_alarm_by_its_figures(say: Say) -> None:
    assert "falls below" not in say(story(held=False)).steps()[2].text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cure", ["holds", "doubt", "failed", None])
def test_no_grade_but_one_says_that_the_cure_holds(say: Say, language: str, cure: str | None) -> None:
    told = say(story(cure=cure), language)
    holds, now = told("cure.holds"), told("report.say.purified")
    said = "".join(everything(told))
    assert (holds in said) is (now in said) is (cure == "holds")
    assert told.words(f"cure.{cure or 'old'}") == told.cure()[0]
    assert (told.words("report.choice.purified") in said) is (cure == "holds")


def test_without_a_purification_there_is_no_cure_to_tell_of(say: Say) -> None:
    told = say(story(asr=(98.9, None)), status="stopped")
    assert told.cure() == told.proof() == []


def test_what_speaks_against_a_cure_comes_first(say: Say) -> None:
    told = say(story(cure="doubt", reasons=("path", "scan"))).proof()
    assert [good for good, _ in told] == [False, False, *[True] * 7]
    assert "30\u00a0% of the way, the attack succeeds on 3.4" in told[0][1]
    assert "signs of a backdoor, most of all towards “no entry”" in told[1][1].replace("No entry", "no entry")


def test_a_finding_that_is_wrong_is_owned_up_to(say: Say) -> None:
    evidence = say(story(target=1)).evidence()
    assert any("Stop" in sentence and "Speed limit 80" in sentence for sentence in evidence)


def test_who_was_reached_sooner_is_told_of_beside_or_instead_of_the_size(say: Say) -> None:
    def evidence(name: str, **facts: float) -> str:
        return " ".join(say(story(facts=facts), name=name).evidence())

    both, soon, neither = (
        evidence("both", gap=2.0, sooner=4.0), evidence("soon", gap=1.0, sooner=4.0), evidence("none", gap=1.0)
    )  # fmt: skip
    assert "2.0 times as large" in both
    assert "4.0 times nearer" in both
    assert "times as large" not in soon
    assert "4.0 times nearer" in soon
    assert "stands out too little" in neither


def test_what_was_done_for_want_of_a_trigger_is_said(say: Say) -> None:
    done = {"result": {"stamps": "alone"}}
    lab, field = say(**done), say(spec=Spec(weights="a.pth", images="signs"), name="field", **done)
    assert not any("stamps" in sentence for sentence in say(name="other").evidence())
    assert any("random stamps" in sentence for sentence in lab.evidence())
    assert not any("took no part" in sentence for sentence in lab.evidence()), "its attack success is the true one"
    assert any("took no part" in sentence for sentence in field.evidence())
    both = say(result={"stamps": "beside"}, spec=Spec(weights="a.pth", images="signs"), name="both").evidence()
    assert any("against it and" in sentence and "random stamps" in sentence for sentence in both)
    assert not any("took no part" in sentence for sentence in both)


def test_true_and_estimated_are_told_apart_everywhere(say: Say) -> None:
    lab, field = say(name="lab"), say(story(kind="estimated"), spec=Spec(weights="a.pth", images="signs"), name="field")
    assert not any("estimated" in sentence for sentence in everything(lab))
    assert any("estimated" in sentence for sentence in field.limits())
    assert "estimated" in field.phrases()[0]
    assert "estimated" in field.steps()[0].text


def test_classes_of_the_users_own_keep_their_names(say: Say) -> None:
    told = say(spec=Spec(weights="a.pth", images="photos"), classes=["<b>", "{x}"], language="ja")
    assert told.class_name(0) == "<b>"
    assert told.class_name(1) == "{x}"
    folder = say(spec=Spec(weights="a.pth", images="/photos/cifar10"), classes=["dog"], language="ja", name="two")
    assert folder.class_name(0) == "dog", "a folder of that name is not the set, and the pages keep its names too"
    assert told.class_name(2) == told.class_name(None) == told.words("target.unknown")
