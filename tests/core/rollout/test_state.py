from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from core.files import dump_json
from core.rollout import state as states
from core.rollout.rule import Rule, Tally
from core.rollout.state import KEPT, State


def start(**more: Any) -> dict[str, Any]:
    models = {"original": "aa", "purified": "bb"}
    return {"kind": "start", "t": 1.0, "rule": asdict(Rule()), "models": models, "anew": True, "classes": ["a"]} | more


def image(number: int, original: int, purified: int, **more: Any) -> dict[str, Any]:
    one = {"kind": "image", "t": 2.0, "key": f"{number:016x}", "original": original, "purified": purified}
    return one | {"used": "original", "flagged": False} | more


def after(*entries: dict[str, Any]) -> State:
    state = State()
    for entry in entries:
        state.take(entry)
    return state


def test_images_are_counted_by_flag_difference_and_label() -> None:
    state = after(
        start(), image(0, 1, 1), image(1, 1, 2, used="purified"), image(2, 1, 2, flagged=True),
        image(3, 1, 1, flagged=True), image(4, 1, 2, label=1), image(5, 1, 2, label=2), image(6, 1, 2, label=3),
        image(7, 3, 3, label=3), image(8, 1, 2, label=2, flagged=True),
    )  # fmt: skip
    assert state.tally == Tally(images=9, flagged=3, differ=4, averted=2, labelled=4, lost=1, gained=1)
    assert (state.images, state.purified, state.stage) == (9, 1, "shadow")
    assert [one["key"][-1] for one in state.differing] == ["1", "4", "5", "6"]
    assert [one["key"][-1] for one in state.averted] == ["2", "8"]


def test_three_flagged_images_that_both_answer_alike_are_an_alarm_and_those_they_differ_on_are_not() -> None:
    followed = [image(number, 7, 7, flagged=True) for number in range(3)]
    averted = [image(number, 7, number, flagged=True) for number in range(3)]
    assert after(start(), *followed).tally.alarms == 1
    assert after(start(), *averted).tally.alarms == 0


def test_a_move_sets_the_counts_back_and_is_kept() -> None:
    move = {"kind": "stage", "t": 5.0, "from": "shadow", "to": "share", "by": "rule", "why": [["agrees", {}]]}
    state = after(start(), image(0, 1, 2), move, image(1, 1, 1))
    assert (state.stage, state.since, state.tally) == ("share", 5.0, Tally(images=1))
    assert (state.images, state.moves) == (2, [move])
    assert after(start(), move, start(t=9.0)).stage == "shadow", "begun anew"
    assert after(start(), move, start(anew=False)).stage == "share"


def test_no_more_than_the_newest_differences_are_kept() -> None:
    state = after(start(), *(image(number, 1, 2) for number in range(3 * KEPT)))
    assert [int(one["key"], 16) for one in state.differing] == list(range(2 * KEPT, 3 * KEPT))
    assert state.tally.differ == 3 * KEPT


def test_it_survives_json() -> None:
    state = after(start(), image(0, 1, 2), image(1, 3, 3, flagged=True))
    again = states.of(json.loads(dump_json(states.plain(state))))
    assert states.plain(again) == states.plain(state)
    assert again.decision == state.decision


def test_what_is_no_entry_is_an_error() -> None:
    for wrong in ({"kind": "stage", "t": 1.0, "to": "everywhere"}, {"kind": "image", "t": 1.0}, {"t": 1.0}):
        with pytest.raises((KeyError, ValueError)):
            after(wrong)
