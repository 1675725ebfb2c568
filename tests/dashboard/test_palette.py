"""Class colours stay apart for every reader: CIEDE2000 under normal and simulated dichromatic sight."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dashboard.palette import ATTACK, CLASS_COLOURS, CLEAN, SHAPES, class_marks

# Machado, Oliveira, Fernandes (IEEE TVCG 2009), severity 1.0, on linear RGB
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
SIGHTS = {"normal": np.eye(3), "deuteranopia": np.array(DEUTERANOPIA), "protanopia": np.array(PROTANOPIA)}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array(TO_XYZ) @ np.clip(rgb, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, two: np.ndarray) -> float:
    """Sharma, Wu, Dalal (Color Research and Application, 2005)."""
    mean = (np.hypot(*one[1:]) + np.hypot(*two[1:])) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    a1, a2 = (1 + g) * one[1], (1 + g) * two[1]
    c1, c2 = np.hypot(a1, one[2]), np.hypot(a2, two[2])
    h1, h2 = np.degrees(np.arctan2(one[2], a1)) % 360, np.degrees(np.arctan2(two[2], a2)) % 360
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    hue = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    light, chroma = (one[0] + two[0]) / 2, (c1 + c2) / 2
    big = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    twist = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    rt = -np.sin(np.radians(twist)) * 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    dl, dc, dh = (two[0] - one[0]) / sl, (c2 - c1) / sc, big / sh
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + rt * dc * dh))


def distance(one: str, two: str, sight: str) -> float:
    return ciede2000(lab(SIGHTS[sight] @ linear(one)), lab(SIGHTS[sight] @ linear(two)))


def test_the_distance_is_that_of_the_literature():
    # pairs 1, 7 and 20 of Sharma et al., table 1
    for one, two, expected in (
        ([50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425),
        ([50, 0, 0], [50, -1, 2], 2.3669),
        ([50, 2.5, 0], [58, 24, 15], 19.4535),
    ):
        assert ciede2000(np.array(one, float), np.array(two, float)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("sight", SIGHTS)
def test_class_colours_differ_from_each_other_and_from_the_attack(sight):
    near = min((distance(a, b, sight), a, b) for a, b in itertools.combinations(CLASS_COLOURS, 2))
    assert near[0] > 11, near
    ring = min((distance(a, ATTACK, sight), a) for a in CLASS_COLOURS)
    assert ring[0] > (25 if sight == "normal" else 15), ring


@pytest.mark.parametrize("sight", SIGHTS)
def test_attack_and_clean_are_worlds_apart(sight):
    assert distance(ATTACK, CLEAN, sight) > 40


def test_no_class_wears_a_reserved_colour():
    assert not {ATTACK, CLEAN} & set(CLASS_COLOURS)


def test_few_classes_differ_by_colour_alone_and_many_by_colour_or_shape():
    assert {mark.shape for mark in class_marks(12)} == {"circle"}
    assert len({mark.colour for mark in class_marks(12)}) == 12
    assert len(set(class_marks(43))) == 43
    assert len(set(class_marks(len(CLASS_COLOURS) * len(SHAPES)))) == 60


def test_a_class_keeps_its_mark_when_classes_are_added():
    assert class_marks(43)[:10] == class_marks(10)
    assert len(class_marks(100)) == 100
