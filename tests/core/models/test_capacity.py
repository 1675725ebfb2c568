from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from core.models.capacity import BACKWARD_FACTOR, FREE_SHARE, bytes_of, halved, images_at_once, share_of_gpu


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5))


def test_what_the_layers_put_out_is_counted_and_the_model_left_alone() -> None:
    model = net().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert bytes_of(model, torch.rand(1, 3, 8, 8)) == 4 * (3 * 4 * 64 + 256 + 5)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_half_of_what_is_free_is_used(free_memory: Callable[[float], None]) -> None:
    needed = BACKWARD_FACTOR * bytes_of(net(), torch.rand(1, 3, 8, 8))
    for free, images in ((needed * 10 / FREE_SHARE, 10), (needed * 10.9 / FREE_SHARE, 10), (1, 1)):
        free_memory(free)
        assert images_at_once(net(), torch.rand(1, 3, 8, 8)) == images


def test_two_models_share_a_gpu_if_half_of_what_is_planned_with_holds_each() -> None:
    needed = 100 * BACKWARD_FACTOR * bytes_of(net(), torch.rand(1, 3, 8, 8))
    for memory, share in ((2 * needed / FREE_SHARE, 0.5), (2 * needed / FREE_SHARE - 1, 1.0)):
        assert share_of_gpu(net(), torch.rand(1, 3, 8, 8), 100, int(memory)) == share


def test_a_card_says_itself_when_it_is_full() -> None:
    assert images_at_once(net(), torch.empty(1, 3, 8, 8, device="meta")) is None


def test_a_full_card_gets_smaller_parts_in_the_same_order() -> None:
    sizes: list[int] = []

    def work(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return images * 2

    assert torch.cat(halved(work, torch.arange(10))).tolist() == list(range(0, 20, 2))
    assert sizes == [10, 5, 2, 3, 5, 2, 3]


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA out of memory"), ValueError("no"), MemoryError()])
def test_what_halving_does_not_help_is_raised(error: Exception) -> None:
    def work(images: torch.Tensor) -> None:
        raise error

    with pytest.raises(type(error)):
        halved(work, torch.arange(2))
