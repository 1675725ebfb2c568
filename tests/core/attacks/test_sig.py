import math

import pytest
import torch

from core.attacks.sig import Sig


def test_every_row_gets_the_same_wave() -> None:
    out = Sig((4, 24), strength=0.1, frequency=6)(torch.full((2, 3, 4, 24), 0.5)) - 0.5
    expected = [0.1 * math.sin(2 * math.pi * column * 6 / 24) for column in range(24)]
    for row in out.flatten(0, 2):
        assert row.tolist() == pytest.approx(expected, abs=1e-6)


def test_it_has_as_many_waves_as_asked_for() -> None:
    wave = Sig((8, 64), frequency=6).wave().flatten()
    assert int(torch.fft.rfft(wave).abs().argmax()) == 6
    assert wave.abs().max() == pytest.approx(40 / 255, rel=0.01)


def test_it_is_a_clean_label_attack() -> None:
    assert Sig.clean_label
