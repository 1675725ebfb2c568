from __future__ import annotations

import numpy as np

from dashboard.data_room_figures import histogram
from dashboard.palette import ATTACK, CLEAN


def test_every_score_is_in_a_bin_and_those_beyond_the_threshold_wear_the_colour_of_the_attack() -> None:
    scores = np.array([*np.linspace(0, 2.9, 997), 3, 5, 1000])
    figure = histogram(scores, 3.0, "score", "images", "threshold")
    (bars,) = figure.data
    heights, colours = np.array(bars.y), np.array(bars.marker.color)
    assert heights.sum() == len(scores)
    assert heights[colours == ATTACK].sum() == 3
    assert heights[colours == CLEAN].sum() == 997
    assert figure.layout.shapes[0].x0 == 3.0


def test_scores_that_are_all_alike_can_be_drawn() -> None:
    assert np.array(histogram(np.zeros(5), 0.0, "", "", "").data[0].y).sum() == 5
