import pytest
import torch

from core.errors import BadInput
from core.models import ARCHITECTURES, build
from core.models.classifier import last_linear


@pytest.mark.parametrize("arch", [*ARCHITECTURES, "torchvision/resnet18", "torchvision/vit_b_32"])
def test_every_network_has_as_many_outputs_as_asked_for(arch: str) -> None:
    with torch.device("meta"):
        assert last_linear(build(arch, 7)).out_features == 7


@pytest.mark.parametrize("arch", ["", "huge", "torchvision", "torchvision/", "torchvision/huge", "timm/resnet18"])
def test_an_unknown_network_is_told_with_those_there_are(arch: str) -> None:
    with pytest.raises(BadInput, match="preact-resnet18") as caught:
        build(arch, 10)
    assert caught.value.code == "unknown_architecture"
    assert caught.value.facts["arch"] == arch
