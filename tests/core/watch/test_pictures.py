from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.watch.pictures import statistics


def test_figures_of_a_chequered_picture_are_those_worked_out_by_hand() -> None:
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 0.5 + 0.25  # 0.25 and 0.75, every neighbour differs
    brightness, contrast, sharpness = statistics(board.expand(1, 3, 8, 8))[0].tolist()
    assert brightness == pytest.approx(0.5, abs=1e-4)
    assert contrast == pytest.approx(0.25, abs=1e-4)
    assert sharpness == pytest.approx(0.5 / 0.25, abs=1e-3)


def test_sharpness_falls_with_blur_and_not_with_light() -> None:
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.8
    blurred = F.avg_pool2d(x, 3, 1, 1)
    before, dimmed, soft = (statistics(part)[:, 2] for part in (x, x / 2, blurred))
    torch.testing.assert_close(before, dimmed, rtol=1e-3, atol=1e-3)
    assert (soft < 0.8 * before).all()


def test_a_picture_of_one_colour_has_no_sharpness() -> None:
    assert statistics(torch.full((1, 3, 8, 8), 77, dtype=torch.uint8))[0, 2] == 0


def test_no_images_have_no_figures() -> None:
    assert statistics(torch.zeros(0, 3, 8, 8)).shape == (0, 3)
