from __future__ import annotations

import json

import pytest

from core.events import (
    KINDS,
    STAGES,
    Answered,
    Event,
    Failed,
    Finished,
    Frame,
    Measured,
    Progress,
    Repeated,
    Rescan,
    Scanned,
    Searched,
    StageStarted,
    Steered,
    Step,
    Verified,
    from_json,
    of_last_purification,
    seconds_by_stage,
    to_json,
)

EXAMPLES = [
    StageStarted("scan"),
    Progress("purify", 3, 70),
    Progress("purify", 3, 70, 2.5),
    Measured("before", 97.0, 96.5, 99.0, "true", 3000, 2750),
    Answered(97.5, 3000),
    Searched("mask", 1, [12.5, 97.0], [None, 4.5]),
    Rescan("unclear"),
    Scanned(2, 3.5, [None, 4.25, 1.5], [10.0, 99.0, 100.0], "trigger.npz", others=[1]),
    Frame(0, 0, "frames/00000.npz", 97.0, 99.0, "estimated", 0.0, 0.93),
    Step(1, 70, 0.01, {"contrast": 1.5}),
    Verified("doubt", ["fresh", "path"], 7.5, 1.0, 500, {"fresh": {"asr": 7.5, "before": 98.0}}, "fresh.npz"),
    Repeated(2, 3),
    Finished({"target": 2, "seconds": {"scan": 3.0}, "ba_after": None}),
    Failed("budget_too_small", "Too few.", {"least": 12}),
    Steered("pause"),
]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_survives_json(event: Event) -> None:
    data = json.loads(json.dumps(to_json(event)))
    assert data["type"] == event.type
    assert from_json(data) == event


def test_every_kind_has_an_example_and_a_name_of_its_own() -> None:
    assert {type(event) for event in EXAMPLES} == set(KINDS.values()) == set(Event.__subclasses__())
    assert all(kind.type == name for name, kind in KINDS.items())


def test_what_a_newer_version_adds_is_passed_over() -> None:
    assert from_json({"type": "weather", "sunny": True}) is None
    assert from_json({}) is None
    assert from_json({"type": "steered", "action": "stop", "t": 3.0, "why": "tired"}) == Steered("stop")


def test_two_steps_do_not_share_their_losses() -> None:
    first, second = Step(1, 2, 0.1), Step(2, 2, 0.1)
    first.losses["contrast"] = 1.0
    assert second.losses == {}


def test_the_stages_are_told_in_the_order_in_which_they_come() -> None:
    assert STAGES == ("load", "measure", "scan", "purify", "verify")


def test_seconds_of_a_stage_add_up_over_the_workers_of_a_run() -> None:
    told = [
        (0.0, StageStarted("load")), (2.0, StageStarted("scan")), (9.0, Progress("scan", 1, 2)),
        (9.0, StageStarted("load")), (10.0, StageStarted("scan")), (13.0, StageStarted("purify")),
    ]  # fmt: skip
    assert seconds_by_stage(told) == {"load": 3.0, "scan": 10.0}
    assert seconds_by_stage([]) == {}


def test_the_events_of_the_last_purification_begin_where_it_was_repeated_last() -> None:
    first, second = [StageStarted("purify"), Step(1, 70, 0.01)], [Repeated(2, 3), StageStarted("scan")]
    assert of_last_purification(first) == first
    assert of_last_purification([*first, *second]) == second
    assert of_last_purification([*first, *second, *first, *second]) == second, "a worker that goes on says it again"
    assert of_last_purification([]) == []
