from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import pytest
import torch

from core.models.pickle_values import Damaged, Described, Storage, Unusable, WantsCode
from core.models.pickled import MOST_COPIED, describe


def pickle_of(value: Any) -> bytes:
    content = io.BytesIO()
    torch.save(value, content)
    with zipfile.ZipFile(content) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def described(data: bytes) -> Any:
    return describe(io.BytesIO(data))[0]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [None, True, 7, -(2**40), 1.5, "words", b"bytes", [1, [2]], (1,), (1, 2, 3, 4), {"a": {"b": [None]}}, {1: 2.0}, []],
)
def test_plain_values_are_those_of_pickle(value: Any, protocol: int) -> None:
    """Against the library's own reader, which may be trusted with what it wrote itself."""
    assert described(pickle.dumps(value, protocol)) == value


def test_tensors_are_described_with_their_storages() -> None:
    big = torch.zeros(10, 4)
    value = OrderedDict(
        a=big, b=big[2:4, 1:], c=torch.ones(3, dtype=torch.float16), d=torch.nn.Parameter(torch.ones(2))
    )
    content, storages = describe(io.BytesIO(pickle_of({"x": value, "n": 3})))
    assert content["n"] == 3
    tensors = content["x"]
    assert {name: (t.shape, t.bytes) for name, t in tensors.items()} == {
        "a": ((10, 4), 160), "b": ((2, 3), 24), "c": ((3,), 6), "d": ((2,), 8),
    }  # fmt: skip
    assert tensors["a"].storage == tensors["b"].storage == Storage("0", 40, 4)
    assert sorted(storages) == ["0", "1", "2"]
    assert storages["1"] == Storage("1", 3, 2)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_that_are_not_plain_are_marked() -> None:
    assert isinstance(described(pickle_of(torch.ones(3, device="meta"))), Unusable)
    assert isinstance(described(pickle_of(torch.eye(3).to_sparse())), Unusable)
    data = pickle_of({"q": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)})
    assert isinstance(described(data)["q"], Unusable)


@pytest.mark.parametrize("name", ["os\nsystem", "builtins\neval", "torch\nload", "torch.nn.modules.linear\nLinear"])
def test_a_global_that_is_no_plain_data_is_named_even_if_it_is_never_called(name: str) -> None:
    with pytest.raises(WantsCode) as caught:
        described(b"\x80\x02c" + name.encode() + b"\n0N.")
    assert str(caught.value) == name.replace("\n", ".")


def test_the_other_ways_to_name_a_global() -> None:
    for data in (b"(S'touch x'\nios\nsystem\n.", b"\x80\x04\x8c\x02os\x8c\x06system\x93."):
        with pytest.raises(WantsCode, match=r"os\.system"):
            described(data)


TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
)


def tensor(offset: bytes, shape: bytes, stride: bytes) -> bytes:
    return b"\x80\x02" + TENSOR + offset + shape + stride + b"\x89ccollections\nOrderedDict\n)RtR."


def test_a_tensor_must_lie_within_its_storage() -> None:
    fits = described(tensor(b"K\x01", b"K\x03\x85", b"K\x01\x85"))
    assert fits == Described(Storage("0", 4, 4), (3,), 12)
    for offset, shape, stride in (
        (b"K\x02", b"K\x03\x85", b"K\x01\x85"),  # beyond the end
        (b"K\x00", b"K\x03\x85", b"K\x02\x85"),
        (b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x01\x85"),  # negative
        (b"K\x00", b"K\x03\x85", b"J\xff\xff\xff\xff\x85"),
        (b"K\x00", b"K\x03\x85", b"K\x01K\x01\x86"),  # of two minds
        (b"K\x00", b"G?\xf0\x00\x00\x00\x00\x00\x00\x85", b"K\x01\x85"),
        (b"K\x00", b"\x88\x85", b"K\x01\x85"),
    ):
        with pytest.raises(Damaged):
            described(tensor(offset, shape, stride))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02N",
        b"\x80\x02.",
        b"\x80\x02NN.",
        b"\x80\x02t.",
        b"\x80\x02h\x05.",
        b"\x80\x02K\x01K\x01a.",
        b"\x80\x02}K\x01s.",
        b"\x80\x02}K\x01K\x02K\x03u.",
        b"\x80\x02K\x01)R.",
        b"\x80\x02K\x01K\x02b.",
        b"\x80\x02}))K\x01s.",
        b"\x80\x02(K\x01K\x02lK\x01s.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02cbuiltins\nset\n))\x85]\x85R.",
        b"\x82\x01.",
        b"\x80\x02X\xff\xff\xff\x7fabc.",
    ],
)
def test_what_is_no_pickle_of_weights_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        described(data)


def test_keys_that_take_for_ever_to_hash_are_refused() -> None:
    nested = b")" + b"q\x00h\x00\x86" * 60
    with pytest.raises(Damaged, match="keys"):
        described(b"\x80\x02}" + nested + b"K\x01s.")


def test_an_endless_list_of_instructions() -> None:
    content = b"\x80\x02" + b"N0" * 60 + b"N."
    assert describe(io.BytesIO(content), most=123)[0] is None
    with pytest.raises(Damaged, match="more than 100"):
        describe(io.BytesIO(content), most=100)


@pytest.mark.parametrize("function", [b"c_codecs\nencode\n", b"cbuiltins\nbytearray\n"])
def test_one_text_that_is_copied_again_and_again(function: bytes) -> None:
    text = b"X" if b"encode" in function else b"B"  # BINUNICODE or BINBYTES, remembered as number 0
    size = MOST_COPIED // 20
    start = b"\x80\x03" + text + size.to_bytes(4, "little") + b"a" * size + b"q\x000"
    copies = (function + b"h\x00\x85R0") * 20
    assert described(start + copies + b"N.") is None
    with pytest.raises(Damaged, match="copies"):
        described(start + copies + function + b"h\x00\x85R.")
