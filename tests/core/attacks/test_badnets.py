import torch

from core.attacks.badnets import BadNets

IMAGES = torch.rand(5, 3, 16, 20, generator=torch.Generator().manual_seed(0))


def test_the_grid_is_that_of_the_paper() -> None:
    """255 at the four pixels the authors name, 0 at the other five, counted from the lower right corner."""
    out = BadNets((32, 32), look="grid")(torch.full((1, 3, 32, 32), 0.5))[0]
    white = {(31, 31), (31, 29), (30, 30), (29, 31)}
    for row in range(29, 32):
        for column in range(29, 32):
            assert out[:, row, column].tolist() == [float((row, column) in white)] * 3
    assert int((out != 0.5).any(0).sum()) == 9


def test_the_patch_lies_where_it_is_put_and_nothing_else_changes() -> None:
    out = BadNets((16, 20), side=5, right=2, bottom=3)(IMAGES)
    changed = (out != IMAGES).any(0).any(0)
    rows, columns = changed.nonzero().unbind(1)
    assert (int(rows.min()), int(rows.max())) == (8, 12)
    assert (int(columns.min()), int(columns.max())) == (13, 17)
    assert torch.equal(out[0, :, 8:13, 13:18], out[1, :, 8:13, 13:18]), "opaque"


def test_mask_and_pattern_are_the_same_trigger() -> None:
    for look in ("sticker", "grid"):
        trigger = BadNets((16, 20), look=look)  # type: ignore[arg-type]
        mask, pattern = trigger.mask_and_pattern()
        assert torch.equal((1 - mask) * IMAGES + mask * pattern, trigger(IMAGES))
