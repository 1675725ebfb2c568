"""Pickles of newer protocols: the same values in protocol 2, which torch reads without running code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.models.pickle_protocol import LARGEST, as_protocol_2
from core.models.pickle_values import Damaged, OtherProtocol, WantsCode
from core.models.pickled import describe
from core.models.weights import read_weights
from tests.core.models.test_reading import Hostile
from tests.core.models.weight_files import refused


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        -(2**40),
        1.5,
        "words",
        "犬\nn",
        b"bytes\xff",
        [1, [2]],
        (1, 2, 3, 4),
        {"a": {"b": ["a", "a"]}},
        "x" * 300,
    ],
)
def test_the_values_are_the_same(value: Any, protocol: int) -> None:
    written = as_protocol_2(pickle.dumps([value, value, {"again": value}], protocol))
    assert written[:2] == b"\x80\x02"
    assert pickle.loads(written) == [value, value, {"again": value}]
    assert describe(io.BytesIO(written))[0] == [value, value, {"again": value}]


def test_protocol_2_is_left_as_it_is() -> None:
    for data in (pickle.dumps({"a": 1}, 2), b"", b"I1\n."):
        assert as_protocol_2(data) is data


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_checkpoint_of_a_newer_protocol_is_read(protocol: int, tmp_path: Path) -> None:
    weights = {"conv.weight": torch.randn(2, 3, 3, 3), "fc.weight": torch.randn(4, 2).half()}
    weights |= {"tied": weights["fc.weight"], "turned": weights["fc.weight"].T}
    content = {"state_dict": weights, "acc": np.float64(91.5), "names": ["cat"] * 300, "epoch": 3}
    if protocol < 5:  # in which NumPy rebuilds its arrays by a function that is not among plain data
        content["rng"] = np.arange(5)
    torch.save(content, tmp_path / "a.pth", pickle_protocol=protocol)
    found = read_weights(tmp_path / "a.pth")
    assert found.tensors.keys() == weights.keys()
    assert all(torch.equal(found.tensors[name], value) for name, value in weights.items())
    assert "acc = 91.5" in next(fact.message for fact in found.found if fact.code == "beside")


def test_what_protocol_2_does_not_have_is_told_and_is_no_damage(tmp_path: Path) -> None:
    content = {"a": torch.ones(2), "tags": {"x"}}
    with pytest.raises(OtherProtocol, match="EMPTY_SET"):
        as_protocol_2(pickle.dumps({"x"}, 4))
    for path, legacy in ((tmp_path / "a.pth", False), (tmp_path / "b.pth", True)):
        torch.save(content, path, pickle_protocol=4, _use_new_zipfile_serialization=not legacy)
        assert "without pickle_protocol" in refused(path, "weights_pickle_protocol")


def test_code_is_refused_by_its_name_and_never_run(tmp_path: Path) -> None:
    with pytest.raises(WantsCode, match="system"):
        as_protocol_2(pickle.dumps({"a": Hostile(tmp_path / "executed")}, 4))
    torch.save({"a": torch.ones(2), "b": Hostile(tmp_path / "executed")}, tmp_path / "a.pth", pickle_protocol=5)
    refused(tmp_path / "a.pth", "weights_want_code")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("data", [b"\x80\x04K\x01K\x02\x93.", b"\x80\x04\x93.", b"\x80\x04\x94.", b"\x80\x04h\x00"])
def test_damaged_instructions(data: bytes) -> None:
    with pytest.raises((Damaged, IndexError, ValueError)):
        describe(io.BytesIO(as_protocol_2(data)))


def test_too_many_instructions() -> None:
    with pytest.raises(Damaged, match="more than 10 instructions"):
        as_protocol_2(b"\x80\x04" + b"N" * 12 + b".", most=10)


def test_a_number_that_is_remembered_for_a_text_and_then_for_something_else() -> None:
    data = b"\x80\x04]\x8c\x01aq\x05a]q\x05ah\x05a."
    assert pickle.loads(as_protocol_2(data)) == pickle.loads(data) == ["a", [], []]


def test_one_text_that_is_remembered_again_and_again() -> None:
    text = b"X" + (2**20).to_bytes(4, "little") + b"a" * 2**20
    with pytest.raises(Damaged, match="too often"):
        as_protocol_2(b"\x80\x04]" + text + b"\x94(" + b"h\x00" * (LARGEST // 2**20 + 1) + b"e.")
