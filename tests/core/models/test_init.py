import pytest
import torch

from core.errors import BadInput
from core.models import ARCHITECTURES, build
from core.models.classifier import last_linear


@pytest.mark.parametrize(
    "arch", [*ARCHITECTURES, "wrn28-10", "wrn40-2-biased", "torchvision/resnet18", "timm/resnet26d"]
)
def test_every_network_has_as_many_outputs_as_asked_for(arch: str) -> None:
    with torch.device("meta"):
        assert last_linear(build(arch, 7)).out_features == 7


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_network_of_ours_can_be_grey(arch: str) -> None:
    with torch.device("meta"):
        assert next(value for value in build(arch, 7, 1).state_dict().values() if value.ndim == 4).shape[1] == 1


@pytest.mark.parametrize(
    "arch",
    [
        "",
        "huge",
        "torchvision",
        "torchvision/",
        "torchvision/huge",
        "timm/huge",
        "wrn17-1",
        "wrn16-99",
        "wrn4-1",
        "wrn16-1-x",
    ],
)
def test_an_unknown_network_is_told_with_those_there_are(arch: str) -> None:
    with pytest.raises(BadInput, match="preact-resnet18") as caught:
        build(arch, 10)
    assert caught.value.code == "unknown_architecture"
    assert caught.value.facts["arch"] == arch
