"""What a comparison is made of, and how much of it is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.events import Frame, Measured, Progress, StageStarted
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard import compare_data, data
from dashboard.compare_data import Entry, Point, curve, progress
from dashboard.digest import Digest
from tests.dashboard.conftest import story

Make = Callable[..., Run]
AFTER = Measured("after", 94.0, 94.0, 1.0, "true", 3000, 2750)


def order(defence: str, **changes: object) -> dict:
    return Spec(**{"victim": "signs-badnets", "images": "signs", "defence": defence} | changes).to_dict()  # type: ignore[arg-type]


def entry(run: Run, defence: str, status: str, seconds: float = 0.0, now: Progress | None = None) -> Entry:
    return Entry(
        run,
        defence,
        status,
        Digest(after=AFTER if status == "done" else None, seconds={"purify": seconds}, progress=now),
    )


def test_a_curve_is_level_until_the_purification_begins_and_ends_with_it() -> None:
    first, second, last = (Frame(k, k, "", 95 - k, 99 - k, "true", float(k), 0.9) for k in (0, 1, 2))
    told = [(0.1, first), (1.0, StageStarted("scan")), (6.0, StageStarted("purify")), (6.5, second)]
    level = [Point(0.1, 95, 99, 0), Point(6.0, 95, 99, 0), Point(6.5, 94, 98, 1)]
    assert curve(told) == level
    assert curve([*told, (7.0, StageStarted("verify")), (30.0, last)]) == [*level, Point(7.0, 93, 97, 2)]
    assert curve([]) == []


def test_recordings_of_a_victim_are_compared_where_clean_images_and_seed_are_the_same(make_run: Make) -> None:
    make_run("signs-badnets", "done", recording=True, spec=order("mcl"))
    make_run("signs-badnets-nc", "done", recording=True, spec=order("nc"))
    make_run("signs-badnets-ft", "done", recording=True, spec=order("ft"))
    make_run("signs-badnets-fp", "done", recording=True, spec=order("fp", seed=1))
    make_run("signs-badnets-nad", "done", spec=order("nad"))
    assert [run.id for run in compare_data.recorded("signs-badnets")] == [
        "signs-badnets", "signs-badnets-ft", "signs-badnets-nc",
    ]  # fmt: skip
    assert compare_data.recorded("cifar10-badnets") == []


def test_a_comparison_of_ones_own_is_known_by_its_group(make_run: Make) -> None:
    make_run("20260101-000000-b", "done", spec=order("nc"), group="abc", after=None)
    make_run("20260101-000000-a", "done", spec=order("ft"), group="abc")
    make_run("20260101-000001-c", "done", spec=order("ft"), group="other")
    assert [run.spec.defence for run in compare_data.group("abc")] == ["ft", "nc"]
    assert compare_data.group(None) == compare_data.group("none") == []
    assert compare_data.newest_group() is None, "both are over"


def test_a_run_costs_its_scan_and_its_purification(make_run: Make) -> None:
    run = make_run("one", "done", spec=order("mcl"))
    (found,) = compare_data.entries([run])
    assert found.cost == pytest.approx(6.0)  # the scan from 2 to 4, the purification from 4 to 8
    assert found.scan == pytest.approx(2.0)
    assert [point.asr for point in found.curve] == [98.9, 1.3]
    (half,) = compare_data.entries([make_run("two", "stopped", story(whole=False), spec=order("mcl"))])
    assert half.cost is None


def test_what_is_left_is_reckoned_from_recorded_runs_at_the_pace_of_this_machine(make_run: Make) -> None:
    run = make_run("one", "done")
    known = [entry(run, name, "done", seconds) for name, seconds in (("mcl", 20.0), ("ft", 10.0), ("nc", 30.0))]
    found = [entry(run, "mcl", "done", 40.0), entry(run, "ft", "running", 5.0), entry(run, "nc", "queued")]
    done, left = progress(found, known)
    assert left == pytest.approx((2 * 10 - 5) + 2 * 30 + compare_data.START)
    assert done == pytest.approx(45 / (45 + left))


def test_the_runs_own_estimate_counts_once_it_has_one(make_run: Make) -> None:
    run = make_run("one", "done")
    now = Progress("purify", 5, 10, 7.0)
    assert progress([entry(run, "ft", "running", 3.0, now)], [])[1] == 7.0


def test_while_nothing_tells_how_long_it_takes_nothing_is_said(make_run: Make) -> None:
    run = make_run("one", "done")
    assert progress([entry(run, "ft", "running"), entry(run, "nc", "queued")], []) == (0.0, None)
    done, left = progress([entry(run, "ft", "done", 9.0), entry(run, "nc", "queued")], [])
    assert left == pytest.approx(9.0 + compare_data.START), "as long as the others took"
    assert done < 1


def test_a_method_of_another_version_comes_last(make_run: Make) -> None:
    for number, name in enumerate(("of the future", "nc", "ft")):
        make_run(f"20260101-000000-{number}", "done", spec=order("ft") | {"defence": name}, group="abc")
    runs = compare_data.group("abc")
    assert [run.spec.defence for run in runs] == ["ft", "nc", "of the future"]
    assert [found.defence for found in compare_data.entries(runs)] == ["ft", "nc", "of the future"]


def test_where_a_run_can_be_compared(make_run: Make) -> None:
    def where(run: Run) -> str | None:
        return compare_data.comparisons(data.runs()).get(run.id)

    first = make_run("20260101-000000-a", "done", spec=order("mcl"), group="abc")
    assert where(first) is None, "alone in its group, and nothing is recorded"
    make_run("20260101-000000-b", "done", spec=order("nc"), group="abc")
    assert where(first) == "abc"
    single = make_run("20260101-000001-c", "done", spec=order("ft"))
    assert where(single) is None
    for name in ("mcl", "ft"):
        make_run(f"signs-badnets-{name}", "done", recording=True, spec=order(name))
    assert where(single) == ""
    stranger = make_run("20260101-000002-d", "done", spec=order("mcl", victim=None, weights="a.pth"))
    assert where(stranger) is None


def test_runs_that_differ_in_their_seed_make_one_line(make_run: Make) -> None:
    found = []
    for number, (defence, seed, asr) in enumerate([("mcl", 0, 2.0), ("ft", 0, 90.0), ("mcl", 1, 5.0), ("mcl", 1, 9.0)]):
        run = make_run(f"20260101-00000{number}-a", "done", spec=order(defence, seed=seed))
        after = Measured("after", 94.0 + seed, 94.0, asr, "true", 3000, 2750)
        found.append(Entry(run, defence, "done", Digest(after=after, seconds={"purify": 10.0 * (number + 1)})))
    lines = compare_data.methods(found)
    assert [(line.defence, len(line.entries)) for line in lines] == [("mcl", 2), ("ft", 1), ("mcl", 1)]
    assert lines[0].asr == (3.5, 2.0, 5.0, 2)
    assert lines[0].ba == (94.5, 94.0, 95.0, 2)
    assert lines[0].cost == (20.0, 10.0, 30.0, 2)
    assert lines[0].dissolved is None, "without a map"
    assert compare_data.seeds(found) == [0, 1]


def test_time_left_counts_every_seed(make_run: Make) -> None:
    run = make_run("20260101-000000-a", "done", spec=order("ft"))
    there = [entry(run, "ft", "done", 10.0)]
    here = [entry(run, "ft", "done", 20.0), entry(run, "ft", "done", 20.0), entry(run, "ft", "queued")]
    done, left = progress(here, there)
    assert left == pytest.approx(20.0 + compare_data.START)
    assert done == pytest.approx(40.0 / (40.0 + left))
