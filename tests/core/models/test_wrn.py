from pathlib import Path

import pytest
import torch

from core.models.classifier import last_linear
from core.models.identify import candidates
from core.models.weights import read_weights
from core.models.wrn import WideResNet, name_from


@pytest.mark.parametrize(("depth", "width", "millions"), [(16, 1, 0.17), (40, 2, 2.2)])
def test_sizes_are_those_of_the_paper(depth: int, width: int, millions: float) -> None:
    """Table 5 of the paper: WRN-40-2 has 2.2 million parameters; WRN-16-1 is known to have 0.17 million."""
    with torch.device("meta"):
        net = WideResNet(10, depth, width)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.03)
    assert last_linear(net).in_features == 64 * width
    assert name_from({name: value.shape for name, value in net.state_dict().items()}) == f"wrn{depth}-{width}"


def test_the_picture_is_halved_twice() -> None:
    net = WideResNet(10).eval()
    sizes = []
    for block in (net.block1, net.block2, net.block3):
        block.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    assert net(torch.rand(1, 3, 32, 32)).shape == (1, 10)
    assert sizes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


def test_a_published_checkpoint_fits_as_it_is() -> None:
    file = Path(__file__).parents[3].parent / "shared" / "victims" / "wrn16-1-cifar10-badnets.pth.tar"
    if not file.exists():
        pytest.skip("the checkpoint is not on this machine")
    (found,) = candidates(read_weights(file), 32)
    assert (found.arch, found.classes, found.channels) == ("wrn16-1", 10, 3)
