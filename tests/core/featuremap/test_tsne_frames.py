import numpy as np

from core.featuremap import make_projector, trustworthiness
from tests.core.featuremap.scenes import moved, scene


def test_frames_hold_still_and_follow_what_changes():
    home, apart, label, triggered = scene(clean=240, triggered=80, classes=4, d=16)
    projector = make_projector("tsne", 2, 0)
    projector.project(apart)
    settled = projector.project(apart)
    assert trustworthiness(apart, settled) > 0.9
    again = projector.project(apart)
    assert np.median(moved(again, settled)) < 1
    for _ in range(4):
        coords = projector.project(home)
    travelled = moved(coords, again)
    assert np.median(travelled[triggered]) > 2 * np.median(travelled[~triggered])
    centre = np.stack([coords[~triggered & (label == c)].mean(axis=0) for c in range(4)])
    nearest = np.linalg.norm(coords[triggered][:, None] - centre, axis=2).argmin(axis=1)
    assert (nearest == label[triggered]).mean() > 0.8
    assert trustworthiness(home, coords) > 0.9
