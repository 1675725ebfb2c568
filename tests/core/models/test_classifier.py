from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from core.errors import BadInput
from core.models import build
from core.models.classifier import Classifier, frozen, last_linear
from core.models.preact_resnet import PreActResNet
from core.models.small import SmallNet
from core.models.wrn import WideResNet

NETS: dict[str, Callable[[], nn.Module]] = {
    "small": lambda: SmallNet(4, width=4),
    "wrn": lambda: WideResNet(4, depth=10),
    "preact": lambda: PreActResNet(4),
    "torchvision": lambda: build("torchvision/resnet18", 4),
    "dropout and several linear layers": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 16 * 16, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 4)
    ),
}


@pytest.fixture(params=NETS)
def model(request: pytest.FixtureRequest) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classifier(NETS[request.param](), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_features_are_what_enters_the_last_linear_layer(model: Classifier, images: Tensor) -> None:
    head = last_linear(model.net)
    features, logits = model.features_and_logits(images)
    assert features.shape == (3, model.feature_size) == (3, head.in_features)
    assert logits.shape == (3, 4) == (3, model.num_classes)
    torch.testing.assert_close(features @ head.weight.T + head.bias, logits)
    torch.testing.assert_close(model(images), logits)
    torch.testing.assert_close(model.features(images), features)


def test_the_tap_is_gone_afterwards_even_after_an_error(model: Classifier, images: Tensor) -> None:
    model.features(images)
    with pytest.raises(RuntimeError):
        model.features(torch.rand(1, 5, 16, 16))
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


def test_gradients_flow_through_features_and_logits(model: Classifier, images: Tensor) -> None:
    features, logits = model.features_and_logits(images)
    (features.sum() + logits.sum()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_copy_is_independent(model: Classifier, images: Tensor) -> None:
    before = model.features_and_logits(images)
    copy = deepcopy(model)
    assert copy.head[0] is last_linear(copy.net)
    assert copy.head[0] is not model.head[0]
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
    after = model.features_and_logits(images)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not copy.features_and_logits(images)[1].any()


def test_the_nets_names_stay_as_they_were() -> None:
    for make in NETS.values():
        net = make()
        names = list(net.state_dict())
        model = Classifier(net)
        assert list(model.net.state_dict()) == names
        assert list(model.state_dict()) == [f"net.{name}" for name in names], "scaling and head are not saved twice"


def test_the_input_is_scaled_per_channel() -> None:
    seen: list[Tensor] = []

    class Look(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return self.fc(x.mean((2, 3)))

    Classifier(Look(), (0.1, 0.2, 0.5), (0.5, 0.25, 1.0))(torch.full((1, 3, 2, 2), 0.6))
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor([1.0, 1.6, 0.1]))


def test_a_net_without_a_linear_layer_is_named() -> None:
    with pytest.raises(BadInput, match="Sequential has no linear layer") as caught:
        Classifier(nn.Sequential(nn.Conv2d(3, 4, 1)))
    assert caught.value.code == "no_linear_layer"


def test_frozen_puts_modes_and_gradients_back(model: Classifier) -> None:
    model.train()
    model.head[0].eval()
    model.head[0].bias.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    inside = frozen(model)
    inside.__enter__()
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    error = ZeroDivisionError("while frozen")
    assert not inside.__exit__(type(error), error, None), "the error goes on"
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == wanted


def test_frozen_still_lets_gradients_reach_the_images(model: Classifier, images: Tensor) -> None:
    images.requires_grad_()
    with frozen(model):
        model(images).sum().backward()
    assert images.grad is not None
    assert images.grad.any()


def test_torchvision_is_the_one_of_the_library() -> None:
    names = torchvision.models.resnet18(num_classes=4).state_dict().keys()
    assert build("torchvision/resnet18", 4).state_dict().keys() == names


class Seen(nn.Module):
    """Gives back what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 1)
        self.x = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return self.fc(x.mean((1, 2, 3))[:, None])


def test_colours_and_sizes(images: Tensor) -> None:
    def shown(**how: Any) -> Tensor:
        net = Seen()
        Classifier(net, (0.2, 0.3, 0.4), (0.5, 0.5, 0.8), **how)(images)
        return net.x

    plain = shown()
    assert plain.shape == (3, 3, 16, 16)
    unscaled = images.flip(1)
    torch.testing.assert_close(shown(colour="bgr")[:, 0], (unscaled[:, 0] - 0.2) / 0.5)
    grey = 0.299 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]
    torch.testing.assert_close(shown(colour="grey"), ((grey - 0.3) / 0.6)[:, None])
    torch.testing.assert_close(shown(colour="grey3")[:, 2], (grey - 0.4) / 0.8)
    assert shown(size=(32, 24)).shape == (3, 3, 32, 24)
    assert torch.equal(shown(size=(16, 16)), plain)
    shrunk = shown(size=(8, 8))
    torch.testing.assert_close(shrunk.mean(), plain.mean(), rtol=0.1, atol=0.05)


def test_gradients_reach_the_images_through_size_and_colour(images: Tensor) -> None:
    images.requires_grad_()
    Classifier(SmallNet(4, 4, channels=1), size=(24, 24), colour="grey").eval()(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
