from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.errors import BadInput
from core.models import build
from core.models.identify import candidates, named
from core.models.weights import Weights


def weights_of(arch: str, classes: int = 7, channels: int = 3) -> Weights:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Weights(dict(build(arch, classes, channels).state_dict()))


@pytest.mark.parametrize(
    ("arch", "classes", "channels"),
    [
        ("small", 7, 3), ("vgg-small", 43, 3), ("wrn16-1", 10, 1), ("wrn10-2", 100, 3), ("wrn10-1-biased", 5, 3),
        ("preact-resnet18", 43, 3), ("preact-resnet18-norm", 4, 3), ("resnet20", 10, 3), ("resnet32-b", 10, 1),
        ("cifar-resnet18", 10, 3), ("cifar-vgg16", 10, 3), ("cifar-mobilenetv2", 10, 3),
    ],
)  # fmt: skip
def test_ours_are_told_exactly(arch: str, classes: int, channels: int) -> None:
    weights = weights_of(arch, classes, channels)
    in_any_order = Weights(dict(sorted(weights.tensors.items(), reverse=True)))
    for given in (weights, in_any_order):
        (found,) = candidates(given, 32)
        assert (found.arch, found.classes, found.channels, found.found) == (arch, classes, channels, ())
        state = found.network().state_dict()
        assert all(torch.equal(state[name], value) for name, value in weights.tensors.items())


@pytest.mark.parametrize(
    ("arch", "channels", "all_of"),
    [
        ("torchvision/resnet18", 3, {"torchvision/resnet18"}),
        ("torchvision/resnet18", 1, {"torchvision/resnet18"}),
        ("torchvision/resnet18+cifar", 3, {f"torchvision/resnet18+{s}" for s in ("cifar", "cifar-pool", "small")}),
        ("torchvision/mobilenet_v2", 3, {"torchvision/mobilenet_v2", "torchvision/mobilenet_v2+cifar"}),
        ("timm/resnet26d", 3, {"timm/resnet26d"}),
    ],
)
def test_those_of_the_libraries_with_the_stems_their_weights_allow(arch: str, channels: int, all_of: set[str]) -> None:
    found = candidates(weights_of(arch, 10, channels), 32)
    assert all_of <= {candidate.arch for candidate in found}
    assert all((candidate.classes, candidate.channels) == (10, channels) for candidate in found)
    assert found[0].arch in all_of, "torchvision comes before timm"


def test_counters_of_batch_norm_may_be_missing_and_that_is_said() -> None:
    tensors = {name: value for name, value in weights_of("small").tensors.items() if "num_batches" not in name}
    (found,) = candidates(Weights(tensors), 32)
    assert found.arch == "small"
    assert [(item.code, item.facts) for item in found.found] == [("counters", {"count": 4})]
    assert list(found.weights.named_as_in_file(found.network().state_dict())) == list(tensors)


def test_head_and_shortcuts_under_another_usual_name() -> None:
    weights = weights_of("resnet20-b", 10)
    theirs = {k.replace("linear", "fc").replace("shortcut", "downsample"): v for k, v in weights.tensors.items()}
    (found,) = candidates(Weights(theirs, "module."), 32)
    assert found.arch == "resnet20-b"
    assert [item.code for item in found.found] == ["renamed"]
    out = found.weights.named_as_in_file(found.network().state_dict())
    assert list(out) == [f"module.{name}" for name in theirs]
    assert all(torch.equal(out[f"module.{name}"], value) for name, value in theirs.items())


def test_a_first_word_that_all_names_share() -> None:
    weights = weights_of("small")
    theirs = {f"backbone.{name}": value for name, value in weights.tensors.items()}
    (found,) = candidates(Weights(theirs, "module."), 32)
    assert found.arch == "small"
    assert found.weights.prefix == "module.backbone."
    assert list(found.weights.named_as_in_file(weights.tensors)) == [f"module.{name}" for name in theirs]


def test_a_plain_row_is_rebuilt_from_its_weights() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5))
    found = candidates(Weights(dict(net.state_dict())), 8)
    assert found[0].arch == "sequential/relu/max/1/same/flat"
    assert (found[0].classes, found[0].channels) == (5, 3)
    assert found[0].network()(torch.rand(2, 3, 8, 8)).shape == (2, 5)


Change = Callable[[dict[str, Tensor]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("fc.bias"),
        lambda tensors: tensors.update({"more": torch.ones(1)}),
        lambda tensors: tensors.update({"fc.bias": torch.ones(9)}),
        lambda tensors: tensors.clear(),
        lambda tensors: tensors.update({"block1.layer.0.conv1.weight": torch.ones(17, 16, 3, 3)}),
    ],
)
def test_weights_that_fit_nothing_ask_for_a_name(change: Change) -> None:
    tensors = dict(weights_of("wrn16-1").tensors)
    change(tensors)
    with pytest.raises(BadInput, match=r"--arch.*--model-class") as caught:
        candidates(Weights(tensors), 32)
    assert caught.value.code == "no_architecture_fits"


def test_a_network_the_user_named() -> None:
    weights = weights_of("small", 7, 1)
    found = named("small", weights, 7)
    assert (found.arch, found.classes, found.channels) == ("small", 7, 1)
    wrapped = Weights({f"inner.{name}": value for name, value in weights.tensors.items()})
    assert named("small", wrapped, 7).weights.prefix == "inner."
    with pytest.raises(BadInput) as caught:
        named("small", weights, 8)
    assert caught.value.code == "weights_do_not_fit"
    with pytest.raises(BadInput) as caught:
        named("huge", weights, 7)
    assert caught.value.code == "unknown_architecture"


def test_channels_that_are_not_read_end_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain row and its like come after the networks by name."""
    from core.models import identify, look_alike

    weights, other = weights_of("small", 7, 6), candidates(weights_of("small"), 32)
    with pytest.raises(BadInput, match="6 channels"):
        candidates(weights, 32)
    monkeypatch.setattr(look_alike, "look_alikes", lambda _: other)
    assert identify.candidates(weights, 32) == other


@pytest.mark.parametrize("kind", [torch.int8, torch.int32, torch.bool])
@pytest.mark.parametrize("row", [False, True])
def test_whole_numbers_are_refused_where_the_network_has_fractions(kind: torch.dtype, row: bool) -> None:
    """They could not be written back as they came."""
    tensors = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 7)).state_dict()
    tensors = dict(tensors) if row else weights_of("small").tensors
    whole = {name: (10 * value).to(kind) if value.is_floating_point() else value for name, value in tensors.items()}
    with pytest.raises(BadInput) as raised:
        candidates(Weights(whole), 32)
    assert raised.value.code == "weights_whole_numbers"
    assert raised.value.facts["name"] in whole
    if not row:
        with pytest.raises(BadInput, match="whole numbers"):
            named("small", Weights(whole), 7)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_head_after_a_dropout(by_name: bool) -> None:
    """``net.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, 7))``, as many people do."""
    tensors = {name.replace("fc.", "fc.1."): value for name, value in weights_of("wrn10-1").tensors.items()}
    weights = Weights(tensors)
    found = named("wrn10-1", weights, 7) if by_name else candidates(weights, 32)[0]
    assert (found.arch, found.classes) == ("wrn10-1", 7)
    assert found.found[-1].facts == {"old": "fc.1.weight", "new": "fc.weight"}
    assert torch.equal(found.network().state_dict()["fc.weight"], tensors["fc.1.weight"])
    back = found.weights.named_as_in_file(found.network().state_dict())
    assert list(back) == list(tensors)
    assert all(torch.equal(back[name], value) for name, value in tensors.items())
