from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from core.models import ARCHITECTURES, build
from core.models.classifier import last_linear
from core.models.index import INDEX, add_ours, canonical, named_alike, names_for, signature, unindexed
from core.models.library import without_memory
from core.models.parts import structure_of


def shapes(arch: str, classes: int = 7, channels: int = 3) -> dict[str, tuple[int, ...]]:
    if "/" in arch:
        net = without_memory(arch, classes, channels)
    else:
        with torch.device("meta"):
            net = build(arch, classes, channels)
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def test_every_network_of_ours_is_in_the_index() -> None:
    assert unindexed() == []


def test_what_is_new_of_ours_is_added_to_the_index_and_nothing_else_changes(tmp_path: Path) -> None:
    whole = json.loads(INDEX.read_text())
    part = {"versions": whole["versions"]}
    for table in ("networks", "structures"):
        fewer = {key: [name for name in names if name != "vgg-small"] for key, names in whole[table].items()}
        part[table] = {key: names for key, names in fewer.items() if names}
    (tmp_path / "index.json").write_text(json.dumps(part))
    assert unindexed(tmp_path / "index.json") == ["vgg-small"]
    add_ours(tmp_path / "index.json")
    assert (tmp_path / "index.json").read_text() == INDEX.read_text()


@pytest.mark.parametrize("arch", ["small", "vgg-small", "resnet20", "cifar-resnet18", "cifar-mobilenetv2"])
def test_ours_are_found_whatever_their_classes_and_channels(arch: str) -> None:
    assert arch in ARCHITECTURES
    assert names_for(shapes(arch, 3, 1))[0] == arch


@pytest.mark.parametrize(
    "arch",
    [
        "torchvision/resnet18", "torchvision/mobilenet_v2", "torchvision/vgg11_bn", "timm/resnet26d",
        "timm/vit_tiny_patch16_224",
    ],
)  # fmt: skip
def test_those_of_the_libraries_are_found(arch: str) -> None:
    assert arch in names_for(shapes(arch))


@pytest.mark.parametrize("arch", ["small", "resnet20-b", "wrn16-2", "torchvision/resnet18", "timm/efficientnet_lite0"])
def test_a_network_is_found_by_its_shapes_alone(arch: str) -> None:
    with torch.device("meta"):
        net = build(arch, 7)
    assert arch in named_alike(structure_of(net, last_linear(net)))
    assert named_alike("0") == []


def test_the_libraries_are_there_by_shape_but_for_transformers_whose_shapes_say_all() -> None:
    whole = json.loads(INDEX.read_text())
    by_name, by_shape = ({n for names in whole[t].values() for n in names} for t in ("networks", "structures"))
    missing = {name for name in by_name - by_shape if name.startswith("timm/")}
    assert len(missing) < 0.12 * sum(name.startswith("timm/") for name in by_name)
    assert not any(word in name for name in missing for word in ("net", "mobile", "swin", "former", "convnext"))
    assert max(map(len, whole["structures"].values())) <= 5, "networks of one shape that are all tried"


def test_a_copy_in_timm_is_not_named_twice() -> None:
    names = names_for(shapes("torchvision/resnet18"))
    assert "torchvision/resnet18" in names
    assert "timm/resnet18" not in names


def test_the_signature_knows_widths_and_names_and_nothing_else() -> None:
    base = {"conv.weight": (8, 3, 3, 3), "bn.weight": (8,), "bn.bias": (8,), "fc.weight": (5, 8), "fc.bias": (5,)}
    same = {"fc.bias": (9,), "fc.weight": (9, 8), "bn.bias": (8,), "bn.weight": (8,), "conv.weight": (8, 1, 7, 7)}
    assert signature(same | {"bn.num_batches_tracked": ()}) == signature(base)
    assert signature({name.replace("fc", "linear"): shape for name, shape in base.items()}) == signature(base)
    assert signature(base | {"bn.weight": (16,)}) != signature(base)
    assert signature(base | {"more.weight": (4, 4)}) != signature(base)
    assert names_for(base) == []


def test_usual_names_of_one_thing() -> None:
    assert canonical("fc.weight") == canonical("linear.weight") == canonical("classifier.weight")
    assert canonical("layer1.0.downsample.1.bias") == canonical("layer1.0.shortcut.1.bias")
    assert canonical("layer1.fc.weight") == "layer1.fc.weight"
