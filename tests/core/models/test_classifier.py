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


class Parts(nn.Module):
    """Registers its head first, and after it a layer that is called as heads are."""

    def __init__(self, wrap: Callable[[Tensor], Any] = lambda logits: logits, convolution: bool = False) -> None:
        super().__init__()
        self.head = nn.Conv2d(6, 4, 1) if convolution else nn.Linear(6, 4)
        self.fc = nn.Linear(3, 6)
        self.wrap = wrap
        self.passes = 0

    def forward(self, x: Tensor) -> Any:
        self.passes += 1
        hidden = self.fc(x.mean((2, 3))).relu()
        return self.wrap(self.head(hidden[:, :, None, None] if self.head.weight.dim() == 4 else hidden).flatten(1))


def test_the_head_is_what_is_executed_last_and_not_what_is_registered_last(images: Tensor) -> None:
    net = Parts(lambda logits: logits.log_softmax(1)).train()
    model = Classifier(net)
    assert model.head[0] is net.head
    assert (model.num_classes, model.feature_size) == (4, 6)
    features, logits = model.features_and_logits(images)
    torch.testing.assert_close(net.head(features).log_softmax(1), logits)
    assert net.training
    assert net.fc.weight.requires_grad
    assert not any(module._forward_hooks for module in net.modules())
    assert Classifier(deepcopy(net)).head[0].out_features == 4
    assert net.passes == 2, "one to find the head, one for the features; a copy needs none"


def test_of_two_layers_as_wide_the_one_whose_output_is_the_answer() -> None:
    class Aside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(3, 4)
            self.aside = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            logits = self.out(x.mean((2, 3)))
            self.last = self.aside(logits)
            return logits

    net = Aside()
    assert Classifier(net).head[0] is net.out


def test_no_pass_where_names_leave_no_doubt_or_where_none_is_possible() -> None:
    class Refuses(nn.Module):
        def __init__(self, *names: str) -> None:
            super().__init__()
            for name in names:
                self.add_module(name, nn.Linear(3, 4))

        def forward(self, x: Tensor) -> Tensor:
            self.tried = True
            raise KeyError("no such image")

    for names, tried in ((("proj",), False), (("proj", "fc"), False), (("head", "fc"), True), (("a", "b"), True)):
        net = Refuses(*names)
        assert Classifier(net).head[0] is getattr(net, names[-1])
        assert hasattr(net, "tried") == tried


def test_a_head_that_is_a_convolution_is_told() -> None:
    class Gated(Parts):
        def __init__(self) -> None:
            super().__init__(convolution=True)
            self.gate = nn.Linear(2, 2)

    with pytest.raises(BadInput, match="Gated has no linear layer that gives its answers") as caught:
        Classifier(Gated())
    assert caught.value.code == "no_linear_layer"


def test_the_main_logits_in_training_mode(images: Tensor) -> None:
    net = torchvision.models.googlenet(num_classes=4, init_weights=False).train()
    model = Classifier(net)
    large = nn.functional.interpolate(images[:2], (64, 64))
    features, logits = model.features_and_logits(large)
    assert features.shape == (2, 1024)
    assert logits.shape == model(large).shape == (2, 4)
    logits.sum().backward()
    assert net.fc.weight.grad is not None
    assert net.aux1.fc2.weight.grad is None


@pytest.mark.parametrize(
    "wrap",
    [lambda y: (y, y[:, :1]), lambda y: [y], lambda y: {"aux": y[:, :1], "logits": y}, lambda y: {"out": y}],
    ids=["tuple", "list", "logits in a dictionary", "dictionary of one"],
)
def test_logits_in_something_else(wrap: Callable[[Tensor], Any], images: Tensor) -> None:
    net = Parts(wrap)
    model = Classifier(net)
    assert model.head[0] is net.head
    assert model(images).shape == (3, 4)


@pytest.mark.parametrize("wrap", [lambda y: {"a": y, "b": y}, lambda y: (), lambda y: None])
def test_an_answer_without_logits_is_told(wrap: Callable[[Tensor], Any]) -> None:
    with pytest.raises(BadInput, match="Parts answers with a ") as caught:
        Classifier(Parts(wrap))
    assert caught.value.code == "no_logits"


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


@torch.no_grad()
def test_in_lower_precision_the_answers_are_nearly_the_same_and_stay_float32(model: Classifier, images: Tensor) -> None:
    features, logits = model.features_and_logits(images)
    model.precision = torch.bfloat16
    coarse, answers = deepcopy(model).features_and_logits(images)
    assert coarse.dtype == answers.dtype == torch.float32
    assert not torch.equal(coarse, features)
    scale = max(float(logits.abs().max()), float(features.abs().max()))
    torch.testing.assert_close(coarse, features, rtol=0.03, atol=0.03 * scale)
    torch.testing.assert_close(answers, logits, rtol=0.03, atol=0.03 * scale)


def test_in_lower_precision_each_step_of_a_training_sees_the_weights_as_they_are(
    model: Classifier, images: Tensor
) -> None:
    model.precision = torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):  # would cache the cast weights
        before = model(images)
        before.sum().backward()
        head = model.head[0]
        assert head.weight.grad is not None
        assert head.weight.grad.dtype == torch.float32
        with torch.no_grad():
            head.weight.zero_()
            head.bias.fill_(3.0)
        torch.testing.assert_close(model(images), torch.full_like(before, 3.0))
