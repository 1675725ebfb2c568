"""Archives of torch.export, of today's layout and of the one before PyTorch 2.9."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.errors import BadInput
from core.models.exported import read_program
from core.models.weights import read_weights


class Net(nn.Module):
    """Weights that share their numbers, lie turned, and are of several types."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4, bias=False)
        self.b = nn.Linear(4, 4, bias=False)
        self.b.weight = self.a.weight
        self.turned = nn.Parameter(torch.arange(12.0).view(3, 4).T)
        self.register_buffer("coarse", torch.tensor([0.5, 2.0], dtype=torch.float16))
        self.register_buffer("steps", torch.tensor(7))
        self.register_buffer("nothing", torch.zeros(0, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x)) @ self.turned + self.coarse.float().sum() + self.steps + self.nothing.sum()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    net = Net()
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    torch.export.save(torch.export.export(net, (torch.rand(2, 4),)), path)
    return path, net.state_dict()


def test_the_tensors_are_those_of_the_network(archive: tuple[Path, dict[str, Tensor]]) -> None:
    path, state = archive
    tensors = read_weights(path).tensors
    assert tensors.keys() == state.keys()
    for name, value in state.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value), name


def changed(path: Path, out: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The archive with its list of weights changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("_weights_config.json"):
                data = json.loads(content)
                change(data["config"])
                content = json.dumps(data).encode()
            new.writestr(name, content)
    return out


def as_ints(*values: int) -> list[dict[str, int]]:
    return [{"as_int": value} for value in values]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: c["a.weight"]["tensor_meta"].update(sizes=as_ints(4, 5)), "weights_damaged"),
        (lambda c: c["a.weight"]["tensor_meta"].update(sizes=as_ints(-4, 4)), "weights_damaged"),
        (lambda c: c["a.weight"]["tensor_meta"].update(sizes=as_ints(4)), "weights_damaged"),
        (lambda c: c["a.weight"]["tensor_meta"].update(storage_offset={"as_int": 1}), "weights_damaged"),
        (
            lambda c: c["a.weight"]["tensor_meta"].update(sizes=as_ints(2**20, 2**20), strides=as_ints(0, 0)),
            "weights_too_large",
        ),
        (lambda c: c["a.weight"]["tensor_meta"].update(dtype=99), "weights_odd_tensor"),
        (lambda c: c["a.weight"]["tensor_meta"].update(layout=1), "weights_odd_tensor"),
        (lambda c: c["a.weight"].update(use_pickle=True), "weights_odd_tensor"),
        (lambda c: c["a.weight"].update(path_name="../../models/model.json/x"), "weights_damaged"),
        (lambda c: c["a.weight"].pop("tensor_meta"), "weights_damaged"),
        (lambda c: c.clear(), "weights_none_inside"),
    ],
)
def test_a_list_of_weights_that_is_wrong(
    archive: tuple[Path, dict[str, Tensor]], tmp_path: Path, change: Any, code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read_weights(changed(archive[0], tmp_path / "a.pt2", change))
    assert caught.value.code == code


class Noted(zipfile.ZipFile):
    """An archive that notes what is read of it."""

    asked: tuple[str, ...] = ()

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        self.asked += (name,)
        return super().read(name, pwd)


def test_a_record_that_many_tensors_lie_in_is_read_once(
    archive: tuple[Path, dict[str, Tensor]], tmp_path: Path
) -> None:
    order: list[str] = []

    def repeat(config: dict[str, Any]) -> None:
        config.update({f"turned{number}": config["turned"] for number in range(200)})
        order.extend(config)

    path = changed(archive[0], tmp_path / "a.pt2", repeat)
    with Noted(path) as file:
        tensors = read_program(path, file, file.namelist()[0].split("/")[0] + "/").tensors
    assert len(file.asked) == len(set(file.asked)) > 5
    assert list(tensors) == order
    assert all(torch.equal(tensors[f"turned{number}"], archive[1]["turned"]) for number in range(200))
    tensors["turned0"].zero_()
    assert torch.equal(tensors["turned1"], archive[1]["turned"])  # each has numbers of its own


def test_numbers_of_the_other_order_of_bytes(archive: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    with zipfile.ZipFile(archive[0]) as old, zipfile.ZipFile(tmp_path / "a.pt2", "w") as new:
        listed = next(name for name in old.namelist() if name.endswith("_weights_config.json"))
        widths = {
            entry["path_name"]: archive[1][name].element_size()
            for name, entry in json.loads(old.read(listed))["config"].items()
        }
        for name in old.namelist():
            content = old.read(name)
            width = widths.get(name.rpartition("/")[2])
            if width:
                content = b"".join(content[at : at + width][::-1] for at in range(0, len(content), width))
            new.writestr(name, b"big" if name.endswith("byteorder") else content)
    tensors = read_weights(tmp_path / "a.pt2").tensors
    assert all(torch.equal(tensors[name], value) for name, value in archive[1].items())


@pytest.mark.parametrize("name", ["serialized_state_dict.pt", "serialized_state_dict.json"])
@pytest.mark.parametrize("legacy", [False, True])
def test_the_layout_before_2_9(tmp_path: Path, name: str, legacy: bool) -> None:
    state = {"fc.weight": torch.rand(3, 2), "fc.bias": torch.rand(3)}
    inner = io.BytesIO()
    torch.save(state, inner, _use_new_zipfile_serialization=not legacy)
    with zipfile.ZipFile(tmp_path / "a.pt2", "w") as file:
        file.writestr("serialized_exported_program.json", "{}")
        file.writestr(name, inner.getvalue())
    tensors = read_weights(tmp_path / "a.pt2").tensors
    assert all(torch.equal(tensors[name], value) for name, value in state.items())


def test_an_archive_without_weights(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt2", "w") as file:
        file.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(BadInput, match="no weights"):
        read_weights(tmp_path / "a.pt2")
