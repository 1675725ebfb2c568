"""What the stages hand on: when a scan is needed, which class counts, how long is left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.engine.context import Context
from core.engine.state import Clock, State
from core.events import Scanned, StageStarted
from core.runs.spec import Spec
from core.victims import card_of

CARD = card_of("digits-badnets")
FOUND = Scanned(7, 4.0, [], [], "trigger.npz")


def state(spec: Spec, known: bool = True, scanned: Scanned | None = None, run: Any = None) -> State:
    subject: Any = SimpleNamespace(trigger=(lambda x: x + 1) if known else None, card=CARD if known else None)
    nothing: Any = None
    context = Context(run, nothing, spec, nothing, subject, torch.device("cpu"), nothing)
    return State(context, scanned=scanned)


@pytest.mark.parametrize(
    ("defence", "known", "scan_only", "needed"),
    [
        ("mcl", True, False, True),
        ("nc", True, False, True),
        ("ft", True, False, False),
        ("ft", True, True, True),
        ("ft", False, False, True),
    ],
)
def test_a_scan_is_made_where_something_works_with_what_it_finds(
    defence: str, known: bool, scan_only: bool, needed: bool
) -> None:
    assert state(Spec(defence=defence, scan_only=scan_only), known).context.needs_scan is needed


def test_the_target_is_the_one_given_or_else_the_one_found() -> None:
    assert state(Spec(target=2), scanned=FOUND).target == 2
    assert state(Spec(), scanned=FOUND).target == 7
    assert state(Spec(defence="ft")).target is None


def test_success_is_counted_for_the_real_target_where_it_is_known() -> None:
    assert state(Spec(target=2), scanned=FOUND).attack_target == CARD.target
    assert state(Spec(), known=False, scanned=FOUND).attack_target == 7
    assert state(Spec()).context.asr_kind == "true"
    assert state(Spec(), known=False).context.asr_kind == "estimated"


def test_the_real_trigger_goes_before_a_reconstructed_one() -> None:
    lab, field = state(Spec()), state(Spec(), known=False)
    lab.triggers = field.triggers = [lambda x: x + 2]  # type: ignore[list-item]
    assert lab.trigger(torch.zeros(1)) == 1
    assert field.trigger(torch.zeros(1)) == 2


def test_what_is_left_follows_from_what_was_done_and_pauses_do_not_count() -> None:
    now = iter([100.0, 130.0, 130.0])
    steering: Any = SimpleNamespace(paused_seconds=0.0)
    clock = Clock(steering, lambda: next(now))
    steering.paused_seconds = 20.0
    assert clock.progress("scan", 1, 4).seconds_left == 30.0
    assert clock.progress("scan", 0, 4).seconds_left is None


def test_a_share_that_falls_back_leaves_more_to_do() -> None:
    now = iter([0.0, 30.0, 40.0])
    clock = Clock(SimpleNamespace(paused_seconds=0.0), lambda: next(now))  # type: ignore[arg-type]
    assert clock.left(0.75) == 10.0
    assert clock.left(0.4) == 60.0


def test_what_earlier_workers_took_is_recalled() -> None:
    told = [(0.0, StageStarted("load")), (2.0, StageStarted("purify")), (9.5, StageStarted("load"))]
    found = state(Spec(), run=SimpleNamespace(events=lambda: told, data={}))
    found.recall()
    assert found.earlier_seconds == {"load": 2.0, "purify": 7.5}
