"""Networks of other people's code: told by shape, computed alike, handed back under their own names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import BadInput
from core.models import build
from core.models.export import write_model
from core.models.identify import candidates
from core.models.look_alike import look_alikes, stacked
from core.models.weights import Weights, read_weights
from tests.core.models.strangers import ConvolutionalHead, EfficientNetLite0, HuggingFaceViT, ResNet20, lively


@pytest.mark.parametrize("sorted_names", [False, True], ids=["in order", "in the order of safetensors"])
@pytest.mark.parametrize(
    ("make", "arch"),
    [
        (ResNet20, "resnet20-b"), (ConvolutionalHead, "resnet20-b"), (EfficientNetLite0, "timm/efficientnet_lite0"),
        (HuggingFaceViT, "vit-d2-w16-m40-p8-s32-h2"),
    ],
)  # fmt: skip
def test_one_of_the_candidates_is_the_stranger(
    make: Callable[[], nn.Module], arch: str, sorted_names: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    theirs = lively(make())
    if sorted_names:
        save_file(theirs.state_dict(), tmp_path / "in")
    else:
        torch.save(theirs.state_dict(), tmp_path / "in")
    weights = read_weights(tmp_path / "in")
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        wanted = theirs(images)
        fits = [fit for fit in candidates(weights, 32) if fit.arch.partition("~")[0] == arch]
        same = [fit for fit in fits if torch.allclose(fit.network()(images), wanted, atol=1e-4)]
    assert len(same) == 1, [fit.arch for fit in fits]
    assert len(fits) <= 2
    fit = same[0]
    assert {fact.code for fact in fit.found} == {"look_alike"}
    names = fit.weights.names_in_network()
    assert set(names) == set(theirs.state_dict())
    state = {name: value + 1 for name, value in fit.network().state_dict().items()}
    write_model(tmp_path / "out", fit.weights, state, {})
    back = load_file(tmp_path / "out" / "model.safetensors")
    theirs.load_state_dict(back, strict=True)
    for name, before in weights.as_in_file().tensors.items():
        assert torch.equal(back[name], before + 1), name


Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]


def renamed(rules: Rules, name: str) -> str:
    for pattern, new in rules:
        name = re.sub(pattern, new, name)
    return name


HUGGING_FACE: Rules = (
    (r"^conv1", "resnet.embedder.embedder.convolution"), (r"^bn1", "resnet.embedder.embedder.normalization"),
    (r"^layer([1-4])", lambda found: f"resnet.encoder.stages.{int(found[1]) - 1}.layers"),
    (r"\.conv([12])\.", lambda found: f".layer.{int(found[1]) - 1}.convolution."),
    (r"\.bn([12])\.", lambda found: f".layer.{int(found[1]) - 1}.normalization."),
    (r"downsample\.0", "shortcut.convolution"), (r"downsample\.1", "shortcut.normalization"), (r"^fc", "classifier.1"),
)  # fmt: skip
WEIAICUNZAI: Rules = (
    (r"^conv1", "conv1.0"), (r"^bn1", "conv1.1"), (r"^layer([1-4])", lambda found: f"conv{int(found[1]) + 1}_x"),
    (r"(_x\.\d\.)conv1", r"\1residual_function.0"), (r"(_x\.\d\.)bn1", r"\1residual_function.1"),
    (r"(_x\.\d\.)conv2", r"\1residual_function.3"), (r"(_x\.\d\.)bn2", r"\1residual_function.4"),
    ("downsample", "shortcut"),
)  # fmt: skip
OPENMMLAB: Rules = ((r"^fc", "head.fc"), (r"^(?!head)", "backbone."))


@pytest.mark.parametrize(
    "rules", [HUGGING_FACE, WEIAICUNZAI, OPENMMLAB], ids=["Hugging Face", "weiaicunzai", "OpenMMLab"]
)
def test_a_resnet_of_another_library_is_recognised_and_handed_back_under_its_names(
    rules: Rules, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    ours = lively(build("torchvision/resnet18", 5))
    theirs = {renamed(rules, name): value for name, value in sorted(ours.state_dict().items())}
    assert len(theirs) == len(ours.state_dict())
    assert not set(theirs) & set(ours.state_dict()) - {"fc.weight", "fc.bias"}
    save_file(theirs, tmp_path / "model.safetensors")
    fit = candidates(read_weights(tmp_path / "model.safetensors"), 64)[0]
    assert fit.arch.partition("~")[0] == "torchvision/resnet18"
    assert {"look_alike"} == {fact.code for fact in fit.found}
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(fit.network()(image), ours(image))
    back = fit.weights.named_as_in_file(fit.network().state_dict())
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[name], value) for name, value in theirs.items())
    names = fit.weights.names_in_network()
    assert names == {renamed(rules, name): name for name in ours.state_dict()}, "the mapping that is shown"


@pytest.mark.parametrize(
    "arch",
    [
        "timm/repghostnet_050", "timm/mobilevitv2_050", "timm/swin_tiny_patch4_window7_224", "timm/tresnet_m",
        "timm/csatv2", "timm/resnest14d",
    ],
)  # fmt: skip
def test_networks_of_timm_are_recognised_under_made_up_names(arch: str) -> None:
    """Every word is spelt backwards, and the names are sorted, as safetensors has them."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build(arch, 10).state_dict().items()}
    state = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}  # one number in memory
    leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

    def turned(word: re.Match[str]) -> str:
        return word[0] if word[0] in leaves else word[0][::-1]

    theirs = {re.sub(r"[a-z_]+", turned, name): name for name in state}
    assert len(theirs) == len(state)
    fits = look_alikes(Weights({name: state[theirs[name]] for name in sorted(theirs)}))
    assert {(fit.classes, fit.channels) for fit in fits} == {(10, 3)}
    assert theirs in [fit.weights.names_in_network() for fit in fits if fit.arch.partition("~")[0] == arch]


def test_each_tensor_of_the_file_has_one_place() -> None:
    (fit,) = look_alikes(Weights(dict(lively(ResNet20()).state_dict())))
    names = fit.weights.names_in_network()
    assert len(set(names.values())) == len(names)
    assert names["conv3_x.0.residual_function.3.weight"] == "layer2.0.conv2.weight"
    assert names["conv3_x.0.shortcut.1.running_var"] == "layer2.0.shortcut.1.running_var"
    assert names["fc.bias"] == "linear.bias"


def test_a_mapping_is_found_again_by_its_mark() -> None:
    tensors = dict(lively(HuggingFaceViT()).state_dict())
    fits = look_alikes(Weights(tensors))
    for fit in fits:
        (again,) = look_alikes(Weights(dict(sorted(tensors.items()))), fit.arch, 5)
        assert again.arch == fit.arch
        assert again.weights.names_in_network() == fit.weights.names_in_network()
    assert len({fit.arch for fit in fits}) == len(fits) > 1


def test_other_shapes_are_no_look_alike() -> None:
    tensors = dict(ResNet20().state_dict())
    tensors["conv3_x.0.shortcut.0.weight"] = torch.ones(32, 17, 1, 1)
    assert look_alikes(Weights(tensors)) == []
    with pytest.raises(BadInput) as raised:
        candidates(Weights(tensors), 32)
    assert raised.value.code == "no_architecture_fits"


def test_queries_keys_and_values_are_put_above_one_another_and_taken_apart() -> None:
    parts = {f"a.{name}.weight": torch.full((2, 2), float(at)) for at, name in enumerate(("key", "query", "value"))}
    joined = stacked(Weights(parts))
    assert joined is not None
    assert joined.tensors["a.qkv.weight"].tolist() == [[1, 1], [1, 1], [0, 0], [0, 0], [2, 2], [2, 2]]
    back = joined.named_as_in_file({"a.qkv.weight": torch.arange(12.0).view(6, 2)})
    assert back["a.query.weight"].tolist() == [[0, 1], [2, 3]]
    assert back["a.key.weight"].tolist() == [[4, 5], [6, 7]]
    assert stacked(Weights({"a.query.weight": torch.ones(2, 2)})) is None
