from __future__ import annotations

from core.events import Event, Finished, Measured, Repeated, Rescan, Scanned, Searched, StageStarted, Verified
from core.report.proof import Proof
from dashboard.digest import Digest, digest
from tests.dashboard.conftest import story


def timed(events: list[Event]) -> list[tuple[float, Event]]:
    return [(2.0 * k, event) for k, event in enumerate(events)]


def test_a_whole_run_adds_up() -> None:
    found = digest(timed(story()))
    assert found.before is not None
    assert (found.before.asr, found.before.ba) == (98.9, 97.3)
    assert found.after is not None
    assert found.after.asr == 1.3
    assert found.frames == 2
    assert found.scanned is not None
    assert found.scanned.target == 0
    assert found.finished is not None


def test_the_grade_of_a_cure_is_that_of_the_result_else_of_the_event() -> None:
    assert digest(timed(story(whole=False))).proof is None  # nothing was purified yet
    assert digest(timed(story())).proof == Proof()  # by a version that gave no grade
    told = [*story()[:-1], Verified("doubt", ["path"], 1.0, 0.2, 100)]
    assert digest(timed(told)).proof == Proof("doubt", ("path",))
    assert digest(timed([*told, Finished({"cure": "holds"})])).proof == Proof("holds")


def test_why_a_scan_begins_anew_is_known_until_it_is_over() -> None:
    told: list[Event] = [StageStarted("scan"), Searched("mask", 1, [50.0], [None]), Rescan("unclear")]
    again = digest(timed(told))
    assert again.rescan == Rescan("unclear")
    assert again.searched is None, "what the first draw reached says nothing of this one"
    assert digest(timed([*told, Rescan("statistics")])).rescan == Rescan("statistics")
    assert digest(timed([*told, Scanned(0, 1.0, [], [], "trigger.npz")])).rescan is None
    assert digest(timed([*told, StageStarted("purify")])).rescan is None


def test_time_is_counted_by_stage() -> None:
    events = [StageStarted("measure"), StageStarted("scan"), StageStarted("purify")]
    moments = [0.0, 3.0, 10.0]
    found = digest(zip(moments, events, strict=True))
    assert found.seconds == {"measure": 3.0, "scan": 7.0}
    assert found.total_seconds == 10.0


def test_a_clock_that_starts_again_never_takes_time_away() -> None:
    events = [StageStarted("measure"), StageStarted("scan"), StageStarted("scan")]
    assert digest(zip([0.0, 5.0, 1.0], events, strict=True)).seconds == {"measure": 5.0, "scan": 0.0}


def test_a_new_stage_forgets_the_progress_of_the_last() -> None:
    events = story(whole=False)
    assert digest(timed(events)).progress is not None
    assert digest(timed([*events, StageStarted("verify")])).progress is None


def test_the_state_of_each_stage() -> None:
    going = digest(timed(story(whole=False)))
    states = {stage: going.state_of(stage, over=False, whole=False) for stage in ("scan", "purify", "verify")}
    assert states == {"scan": "done", "purify": "now", "verify": "todo"}
    assert going.state_of("purify", over=True, whole=False) == "halted"
    assert going.state_of("verify", over=True, whole=True) == "done"
    assert Digest().state_of("measure", over=False, whole=False) == "todo"


def test_a_further_purification_has_figures_and_times_of_its_own() -> None:
    proven = [Verified("doubt", ["scan"], 1.0, 0.2, 100), Measured("after", 96.0, 96.0, 1.0, "true", 3000, 2750)]
    first = [StageStarted("scan"), StageStarted("purify"), StageStarted("verify"), *proven]
    going = digest(timed([*first, Repeated(2, 3), StageStarted("scan"), StageStarted("purify")]))
    assert going.after is going.verified is going.proof is None, "the first one's no longer count"
    assert [one.target for one in going.repeats] == [3]
    assert going.seconds_of == [{"scan": 2.0, "purify": 2.0, "verify": 6.0}, {"scan": 2.0}]
    assert going.seconds == {"scan": 4.0, "purify": 2.0, "verify": 8.0}
    assert going.seconds_to_repeat == 10.0
    over = digest(timed([*first, Repeated(2, 3), *first, Finished({"cure": "holds"})]))
    assert over.proof == Proof("holds")
    once = digest(timed(first))
    assert (once.repeats, once.seconds_to_repeat, once.seconds_of) == ([], 0.0, [once.seconds])
