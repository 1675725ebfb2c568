from __future__ import annotations

from pathlib import Path

import pytest

from core import paths
from core.files import write_json
from core.rollout import place
from core.rollout.rule import Rule, Stage, Tally, decide
from core.rollout.state import State
from core.rollout.wording import in_use, move, phrases, reasons
from core.runs.record import Run
from core.watch.place import ABOUT, inbox_folder
from core.words import LANGUAGES, Words

CASES: list[tuple[Stage, Tally]] = [
    ("off", Tally()),
    ("shadow", Tally(images=10)),
    ("shadow", Tally(images=400, differ=14, labelled=100, lost=3)),
    ("shadow", Tally(images=400, differ=4, labelled=100, lost=1, gained=1)),
    ("share", Tally(images=400, differ=60, flagged=5, alarms=2, labelled=300, lost=30)),
    ("all", Tally(images=400)),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("stage", "tally"), CASES)
def test_every_reason_and_every_phrase_has_its_words(stage: Stage, tally: Tally, language: str) -> None:
    words = Words(language)
    found = decide(stage, tally, Rule())
    for sentence in (*reasons(found, words), *phrases(State(stage=stage, tally=tally), words)):
        assert "{" not in sentence
        assert "None" not in sentence


def test_a_roll_out_that_has_to_go_back_is_not_called_complete() -> None:
    words = Words("en")
    for tally, key in ((Tally(images=400), "all"), (Tally(images=400, flagged=3, alarms=1), "back")):
        assert phrases(State(stage="all", tally=tally), words)[-1] == words(f"rollout.say.next_{key}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_done_in_use_stands_in_the_logs_of_roll_out_and_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    run, words = Run(paths.RECORDINGS / "digits-badnets"), Words(language)
    assert [check.done for check in in_use(run, words)] == [False, False]
    inbox = inbox_folder(run, tmp_path)
    stages: tuple[Stage, ...] = ("share", "all")
    for folder in (place.folder_of(run), inbox):
        folder.mkdir(parents=True)
    write_json(inbox / ABOUT, {})
    for stage in stages:
        place.write_state(place.folder_of(run), State(stage=stage), {"bytes": 0, "sha256": ""})
        rolled, watched = in_use(run, words)
        assert (rolled.done, watched.done) == (stage == "all", True)
        assert words(f"rollout.stage.{stage}") in rolled.text


def test_a_sentence_has_the_figures() -> None:
    (text,) = reasons(decide("shadow", Tally(images=400, differ=14), Rule()), Words("en"))
    assert "14 of 400 images (3.5" in text
    assert "limit is 5" in text


def test_a_move_says_who_decided_and_why() -> None:
    entry = {"from": "share", "to": "shadow", "by": "rule", "why": [["alarms", {"alarms": 1, "shared": 3}]]}
    text = move(entry, Words("en"))
    assert text.startswith("By the rule, from “share” to “shadow”.")
    assert "on 3 images" in text
