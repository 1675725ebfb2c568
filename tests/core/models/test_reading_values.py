"""Values that stand beside real weights and want no code."""

from __future__ import annotations

import struct
from pathlib import Path

import torch
from torch import Tensor

from core.models.reading import open_weights
from core.models.weights import read_weights
from tests.core.models.weight_files import refused


def test_numbers_of_numpy_and_parsed_arguments_are_no_code(tmp_path: Path) -> None:
    import argparse

    import numpy as np

    beside = {
        "acc": np.float64(94.25),
        "epoch": np.int32(-7),
        "args": argparse.Namespace(lr=0.1),
        "size": torch.Size([3]),
    }
    for new in (True, False):
        torch.save({"net": {"a": torch.ones(2)}, **beside}, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
        found = open_weights(tmp_path / "a.pth").unwrapped
        assert torch.equal(found.tensors["a"], torch.ones(2))
        assert found.beside == {"acc": 94.25, "epoch": -7, "args": None, "size": None}


def test_arrays_of_numbers_are_no_code(tmp_path: Path) -> None:
    """As checkpoints keep the state of random numbers, and backdoor benchmarks the indices of poisoned images."""
    import numpy as np

    arrays = [
        np.arange(6).reshape(2, 3), np.ones((2, 3), "f4").T, np.array(3.5), np.array([True]),
        np.arange(200, dtype="u1"),
    ]  # fmt: skip
    beside = {"rng": np.random.RandomState(0).get_state(), "bd_train": {"arrays": arrays, "poisoned": arrays[0]}}
    for new in (True, False):
        torch.save({"model": {"a": torch.ones(2)}, **beside}, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
        found = open_weights(tmp_path / "a.pt").unwrapped
        assert list(found.tensors) == ["a"]
        assert found.beside == {"rng": None, "bd_train": None}


def test_arrays_instead_of_tensors_are_no_network(tmp_path: Path) -> None:
    import numpy as np

    torch.save({"fc.weight": np.ones((3, 2))}, tmp_path / "a.pth")
    assert "named tensors" in refused(tmp_path / "a.pth", "weights_none_inside")


def test_text_of_numpy_is_no_code(tmp_path: Path) -> None:
    """As checkpoints keep the names of their classes."""
    import numpy as np

    beside = {"classes": np.array(["cat", "犬"]), "bytes": np.array([b"ab", b"c"]), "name": np.str_("é")}
    for new in (True, False):
        torch.save({"model": {"a": torch.ones(2)}, **beside}, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
        found = open_weights(tmp_path / "a.pt").unwrapped
        assert list(found.tensors) == ["a"]
        assert found.beside == {"classes": None, "bytes": None, "name": "é"}


def test_other_values_of_numpy_are_refused_by_their_type(tmp_path: Path) -> None:
    import numpy as np

    values = {
        "object": np.array([{}], dtype=object), "M8": np.datetime64("2026-01-01"), "c16": np.array([1j]),
        ">f4": np.ones(2, ">f4"), "V4": np.zeros(2, [("a", "<i4")]),
    }  # fmt: skip
    for kind, value in values.items():
        torch.save({"a": torch.ones(2), "b": value}, tmp_path / "a.pth")
        assert f"type {kind} " in refused(tmp_path / "a.pth", "weights_odd_numpy")


def test_tensors_of_the_optimiser_may_be_anything(tmp_path: Path) -> None:
    state: dict[str, Tensor] = {"a": torch.ones(2)}
    torch.save({"state_dict": state, "optimizer": {"state": {0: torch.tensor(float("nan"))}}}, tmp_path / "a.pth")
    assert list(read_weights(tmp_path / "a.pth").tensors) == ["a"]


def test_the_name_of_code_is_told_in_escapes_and_not_at_length(tmp_path: Path) -> None:
    for name in ("\x1b[2Jsystem\nAll is well.", "x" * 10_000, "\ud800"):
        module, name = (part.encode("utf-8", "surrogatepass") for part in ("os", name))
        named = b"".join(struct.pack("<cL", b"X", len(part)) + part for part in (module, name))
        (tmp_path / "a.pth").write_bytes(b"\x80\x02" + named + b"\x93.")
        message = refused(tmp_path / "a.pth", "weights_want_code")
        assert message.isprintable()
        assert len(message) < 500
        assert "asks for os." in message
