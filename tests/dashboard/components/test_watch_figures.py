from __future__ import annotations

from typing import Any

from dashboard.components.watch_figures import MAX_POINTS, timeline
from dashboard.palette import ATTACK, CLEAN

WORDS = {"clean": "ordinary", "flagged": "triggered", "drift": "drift", "score": "score"}


def image(at: float, score: float) -> dict[str, Any]:
    return {"t": at, "score": score, "flagged": score > 1, "file": f"{at}.png"}


def test_flagged_images_differ_in_colour_and_shape() -> None:
    clean, flagged = timeline([image(0, 0.1), image(1, 3.0), image(2, 0.2)], [], [], WORDS).data
    assert list(clean.y) == [0.1, 0.2]
    assert list(flagged.y) == [3.0]
    assert (clean.marker.color, flagged.marker.color) == (CLEAN, ATTACK)
    assert clean.marker.symbol != flagged.marker.symbol


def test_alerts_are_lines_and_drift_is_marked_where_it_was_found() -> None:
    def drift(at: float, drifted: bool) -> dict[str, Any]:
        return {"t": at, "quantities": {"sharpness": {"drifted": drifted}}}

    figure = timeline([image(0, 0.1)], [5.0, 9.0], [drift(1, False), drift(2, True)], WORDS)
    upright = [shape for shape in figure.layout.shapes if shape.x0 == shape.x1]
    assert len(upright) == 2
    (marks,) = [trace for trace in figure.data if trace.name == "drift"]
    assert len(marks.x) == 1


def test_of_many_images_the_newest_are_drawn_and_of_none_nothing() -> None:
    clean, _ = timeline([image(at, 0.0) for at in range(MAX_POINTS + 10)], [], [], WORDS).data
    assert len(clean.x) == MAX_POINTS
    assert clean.text[0] == "10.png"
    assert sum(len(trace.x) for trace in timeline([], [], [], WORDS).data) == 0
