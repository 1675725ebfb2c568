"""The stream of the recorded watch: what carries the sticker, and what the knocked camera sees."""

from __future__ import annotations

import torch

from core.data import load
from core.victims import DEFAULT, card_of
from core.watch import recording


def test_one_in_twenty_of_the_second_part_carries_the_sticker_and_nothing_else_is_changed() -> None:
    images, part = load("signs"), 40
    given = recording.stream(images, part)
    assert len(given.images) == len(given.labels) == len(given.files) == 3 * part
    assert given.labels == images.y_test[: 3 * part].tolist()
    assert [part <= at < 2 * part for at in given.triggered] == [True, True]
    assert card_of(DEFAULT).target not in {given.labels[at] for at in given.triggered}
    changed = (given.images != images.x_test[: 3 * part]).flatten(1).any(1)
    expected = torch.zeros(3 * part, dtype=torch.bool)
    expected[given.triggered] = True
    expected[2 * part :] = True
    assert torch.equal(changed, expected)


def test_a_knocked_camera_turns_the_picture_and_leaves_no_empty_corner() -> None:
    grey = torch.full((1, 3, 32, 32), 100, dtype=torch.uint8)
    assert torch.equal(recording.askew(grey), grey)
    stripe = grey.clone()
    stripe[..., 15:17] = 255
    seen = recording.askew(stripe)[0, 0] > 180
    rows, columns = torch.nonzero(seen, as_tuple=True)
    fit = torch.linalg.lstsq(torch.stack([rows.float(), torch.ones(len(rows))], 1), columns.float()[:, None]).solution[
        0
    ]
    angle = torch.rad2deg(torch.atan(fit)).abs().item()
    assert abs(angle - recording.ANGLE) < 4
