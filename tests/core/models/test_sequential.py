from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import BadInput
from core.models import build
from core.models.classifier import Classifier, last_linear
from core.models.row_structures import structures
from core.models.sequential import ACTIVATIONS, Structure, build_row, parse


class LeNet(nn.Module):
    """Plain names, no padding, poolings in the code only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(256, 20), nn.Linear(20, 12), nn.Linear(12, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2).flatten(1)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


def keras_like() -> nn.Module:
    """Every second convolution without padding; activation before batch norm."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.BatchNorm2d(8),
        nn.MaxPool2d(2), nn.Dropout(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(16),
        nn.Conv2d(16, 16, 3), nn.ReLU(), nn.BatchNorm2d(16), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(),
        nn.Linear(576, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 7),
    )  # fmt: skip


def pooled() -> nn.Module:
    """One value per channel at the end, a batch norm between the linear layers."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.GELU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 12), nn.BatchNorm1d(12), nn.GELU(), nn.Linear(12, 7),
    )  # fmt: skip


def vgg_like() -> nn.Module:
    """Names in two containers, a pooling without dropout after each stage: a gap of two may be either."""
    layers: list[nn.Module] = []
    for into, out in ((3, 4), (4, 6), (6, 8), (8, 8)):
        layers += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*layers)
            self.classifier = nn.Linear(8, 7)

        def forward(self, x: Tensor) -> Tensor:
            return self.classifier(self.features(x).flatten(1))

    return Net()


def deep() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 9), nn.SiLU(), nn.Linear(9, 7))


NETS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "vgg-small": (lambda: build("vgg-small", 7), 3, 32),
    "vgg-like": (vgg_like, 3, 16),
    "lenet": (LeNet, 1, 28),
    "keras-like": (keras_like, 3, 32),
    "pooled": (pooled, 3, 24),
    "no convolution": (deep, 3, 16),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("shuffled", [False, True])
def test_one_of_the_structures_answers_as_the_network_does(name: str, shuffled: bool) -> None:
    make, channels, side = NETS[name]
    torch.manual_seed(0)
    net = make().eval()
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.weight)
            module.running_mean.normal_()
    state = net.state_dict()
    shapes = {key: tuple(value.shape) for key, value in (sorted(state.items()) if shuffled else state.items())}
    x = torch.rand(3, channels, side, side)
    wanted = net(x)
    places = structures(shapes, side)
    assert 1 <= len(places) <= 12
    same = []
    for place in places:
        for structure in place.siblings():
            row = build_row(structure.name, shapes).eval()
            row.load_state_dict(state, strict=True)
            answer = row(x)
            assert answer.shape == wanted.shape
            same.append(torch.allclose(answer, wanted, atol=1e-5))
    assert any(same)


def test_names_are_read_back() -> None:
    for structure in (Structure(), Structure("elu", "avg", (4, 8, 12), "svsv", "max")):
        assert parse(structure.name) == structure
    for name in ("sequential", "sequential/relu", "sequential/no/max//same/flat", "sequential/relu/no//same/flat",
                 "sequential/relu/max/1/same/flat/x", "wrn16-1"):  # fmt: skip
        assert parse(name) is None


def test_siblings_are_all_activations_and_poolings() -> None:
    here = Structure("elu", "max", (1,))
    assert here.siblings()[0] == here
    assert len(set(here.siblings())) == 2 * len(ACTIVATIONS)
    assert len(Structure().siblings()) == len(ACTIVATIONS)


@pytest.mark.parametrize("arch", ["sequential/relu/max//same/fat", "sequential/relu/max/1/svs/flat"])
def test_a_name_that_does_not_go_with_the_weights(arch: str) -> None:
    with pytest.raises(BadInput) as caught:
        build_row(arch, {name: tuple(value.shape) for name, value in LeNet().state_dict().items()})
    assert caught.value.code == "not_a_row"


def test_weights_that_are_no_row() -> None:
    with pytest.raises(BadInput, match="plain row"):
        build_row("sequential/relu/max//same/flat", {"a": (3,)})


def test_it_can_be_examined_and_copied_like_any_network() -> None:
    shapes = {name: tuple(value.shape) for name, value in keras_like().state_dict().items()}
    net = build_row("sequential/relu/max/4-8/svsv/flat", shapes)
    assert last_linear(net).out_features == 7
    model = deepcopy(Classifier(net)).eval()
    features, logits = model.features_and_logits(torch.rand(2, 3, 32, 32))
    assert (features.shape, logits.shape) == ((2, 12), (2, 7))


def named(first: str, second: str) -> dict[str, Tensor]:
    """A convolution and a linear layer under these names."""
    conv, linear = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 8 * 8, 7)
    tensors = {f"{first}.{key}": value for key, value in conv.state_dict().items()}
    return tensors | {f"{second}.{key}": value for key, value in linear.state_dict().items()}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("steps.0", "fc"), ("forward", "type"), ("type.0", "type.3"), ("features", "half"), ("a.forward", "a.steps"),
        ("add_module", "state_dict"), ("conv", "conv.fc"), ("weight", "bias"), ("T_destination", "_version"),
    ],
)  # fmt: skip
def test_layers_may_have_the_names_of_methods(first: str, second: str) -> None:
    state = named(first, second)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    structure = structures(shapes, 8)[0]
    net = build_row(structure.name, shapes)
    assert list(net.state_dict()) == list(state)
    net.load_state_dict(state, strict=True)
    x = torch.rand(2, 3, 8, 8)
    hidden = F.relu(F.conv2d(x, state[f"{first}.weight"], state[f"{first}.bias"], padding=1))
    wanted = F.linear(hidden.flatten(1), state[f"{second}.weight"], state[f"{second}.bias"])
    model = deepcopy(Classifier(net)).eval()
    assert torch.allclose(model.net(x), wanted, atol=1e-5)
    assert last_linear(net).out_features == 7


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.", "fc"), (".a", "fc"), ("a..b", "fc"), ("training", "fc"), ("features.training", "fc"),
        ("_modules", "fc"), ("_steps", "fc"), ("conv", "conv.weight"), ("conv", "conv.stride"), ("a.conv", "a"),
    ],
)  # fmt: skip
def test_names_that_no_module_can_have_are_refused(first: str, second: str) -> None:
    shapes = {name: tuple(value.shape) for name, value in named(first, second).items()}
    assert structures(shapes, 8) == []
    with pytest.raises(BadInput) as caught:
        build_row("sequential/relu/max//same/flat", shapes)
    assert caught.value.code == "not_a_row"
