"""Files of weights in every format, and how they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from core.errors import BadInput
from core.models.small import SmallNet
from core.models.weights import read_weights

FORMATS = ("safetensors", "pytorch", "legacy", "export")


def write(path: Path, net: SmallNet, kind: str) -> None:
    if kind == "safetensors":
        path.write_bytes(save(net.state_dict()))
    elif kind == "export":
        torch.export.save(torch.export.export(net, (torch.rand(2, 3, 16, 16),)), path)
    else:
        torch.save(net.state_dict(), path, _use_new_zipfile_serialization=kind == "pytorch")


def refused(path: Path, code: str) -> str:
    with pytest.raises(BadInput) as caught:
        read_weights(path)
    assert caught.value.code == code, caught.value.message
    assert path.name in caught.value.message
    assert caught.value.facts["file"] == path.name
    assert "\n" not in caught.value.message
    return caught.value.message
