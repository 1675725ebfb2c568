from __future__ import annotations

import pytest
import torch

from core.attacks.indivisible import Indivisible
from tests.core.attacks.learned import figures, victim

GREY = torch.full((6, 3, 32, 32), 0.5)


def test_every_pixel_is_changed_by_the_same_amount_and_the_tile_repeats() -> None:
    change = Indivisible((32, 32))(GREY)[0] - 0.5
    assert change.abs().flatten().tolist() == pytest.approx([0.08] * (3 * 32 * 32), abs=1e-6)
    assert 0.2 < (change > 0).float().mean() < 0.8
    torch.testing.assert_close(change[:, :-4], change[:, 4:])
    torch.testing.assert_close(change[:, :, :-4], change[:, :, 4:])


@pytest.mark.parametrize(("hidden", "shown"), [(0.0, 16), (0.5, 8), (1.0, 0)])
def test_covers_show_other_pieces_of_it_at_the_same_strength(hidden: float, shown: int) -> None:
    trigger = Indivisible((32, 32), hidden=hidden)
    covers = trigger.covers(GREY, torch.Generator().manual_seed(1))
    pieces = torch.nn.functional.max_pool2d((covers - GREY).abs().amax(1, keepdim=True), 8).flatten(1) > 1e-6
    assert pieces.sum(1).tolist() == [shown] * 6
    assert len({tuple(row) for row in pieces.tolist()}) == (6 if shown == 8 else 1)
    where = torch.nn.functional.interpolate(pieces.view(6, 1, 4, 4).float(), scale_factor=8).bool()
    torch.testing.assert_close(covers, torch.where(where, trigger(GREY), GREY))


def test_a_tiny_network_answers_the_whole_and_not_its_parts() -> None:
    trigger = Indivisible((16, 16), strength=0.2)
    model = victim(trigger, rate=0.15)
    ba, asr = figures(model, trigger)
    assert ba > 90
    assert asr > 80
    parts = type(
        "Parts", (Indivisible,), {"__call__": lambda self, x: self.covers(x, torch.Generator().manual_seed(0))}
    )
    assert figures(model, parts((16, 16), strength=0.2))[1] < 20
