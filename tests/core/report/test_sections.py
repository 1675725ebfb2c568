from __future__ import annotations

import numpy as np
import pytest

from core.report import sections
from tests.core.report.conftest import Part, story


def test_figures_stand_with_their_intervals_and_their_counts(part: Part) -> None:
    text = sections.figures(part()[1])
    for figure in ("98.9", "1.3", "97.3", "96.9"):
        assert f"{figure}\u00a0%</b>" in text
    assert "(98.4\u00a0% to 99.2\u00a0%)" in text  # 98.9 % of 2,750, worked out with another program
    assert "3,000 clean, 2,750 with the trigger" in text
    assert "(true)" in text


def test_what_was_not_measured_after_has_no_column_and_no_change_is_drawn(part: Part) -> None:
    text = sections.figures(part(story(asr=(98.9, None)), status="stopped")[1])
    assert "1.3\u00a0%" not in text
    assert text.count("<circle") == text.count("<td") == 2
    assert "after" not in text
    assert "Not measured" in sections.figures(part([], status="failed", name="failed")[1])


def test_the_ends_of_a_narrow_interval_can_be_told_apart(part: Part) -> None:
    text = sections.figures(part(story(asr=(100.0, 0.0)))[1])
    assert "(99.9\u00a0% to 100.0\u00a0%)" in text
    text = sections.figures(part(story(asr=(100.0, 0.0), images=10_000), name="many")[1])
    assert "(99.96\u00a0% to 100.00\u00a0%)" in text


def test_a_trigger_is_shown_on_an_image_only_where_the_record_has_one(part: Part) -> None:
    run, say = part()
    assert sections.trigger(run, say).count("<img") == 1
    images = np.full((2, 8, 8, 3), 100, np.uint8)
    run.write_examples([3, 7], images, images)
    assert sections.trigger(run, say).count("<img") == 3
    odd = np.zeros((1, 9, 9, 3), np.uint8)
    run.write_examples([3], odd, odd)  # of another size than the trigger: nothing can be said of it
    assert sections.trigger(run, say).count("<img") == 1
    bare, say = part(trigger=None, name="bare")
    assert "No trigger has been reconstructed" in sections.trigger(bare, say)


def test_maps_before_and_after_count_what_they_show(part: Part) -> None:
    text = sections.maps(*part())
    assert text.count('class="map"') == 2
    assert "10 of 10 images with the sticker are read as “Speed limit 80”" in text
    assert "After: 0 of 10 are." in text


@pytest.mark.parametrize(
    ("how", "maps", "says"),
    [
        ({"dims": 3}, 2, "3-D map"),
        ({"events": story(frames=1)}, 1, "Before: 10 of 10"),
        ({"events": story(frames=0)}, 0, "No map was computed"),
        ({"events": story(held=False)}, 2, "After, not handed out"),
        ({"events": story(asr=(98.9, None)), "status": "stopped"}, 2, "Last picture (step 1)"),
    ],
)
def test_maps_of_other_kinds(part: Part, how: dict, maps: int, says: str) -> None:
    text = sections.maps(*part(**how))
    assert text.count('class="map"') == maps
    assert says in text


def test_a_map_that_does_not_fit_its_samples_is_left_out(part: Part) -> None:
    run, say = part()
    run.write_samples(np.arange(3), np.zeros(3), np.zeros(3, bool), np.full(3, -1))
    assert "No map was computed" in sections.maps(run, say)


def test_sizes_name_the_suspect_and_are_left_out_without_a_scan(part: Part) -> None:
    text = sections.sizes(part()[1])
    assert text is not None
    assert "Speed limit 80: 8.5 px" in text
    assert text.count("<rect") == 4
    assert sections.sizes(part(story(verdict=None), name="bare")[1]) is None
