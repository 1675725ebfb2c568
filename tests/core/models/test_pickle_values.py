"""Plain values that checkpoints hold beside the weights; that torch's own optimisers and schedulers are no trouble."""

from __future__ import annotations

import io
import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler, swa_utils

from core.models.pickle_values import Damaged, NumpyArray, OddNumpy, Opaque
from core.models.pickled import describe
from core.models.weights import read_weights


def described(data: bytes) -> Any:
    return describe(io.BytesIO(data))[0]


def reads_like_torch(path: Path, net: nn.Module, **beside: Any) -> None:
    """torch reads the checkpoint with ``weights_only=True``, and so do we."""
    for new in (True, False):
        torch.save({"net": net.state_dict(), **beside}, path, _use_new_zipfile_serialization=new)
        torch.load(path, weights_only=True)
        tensors = read_weights(path).tensors
        assert tensors.keys() == net.state_dict().keys()
        assert all(torch.equal(tensors[name], value) for name, value in net.state_dict().items())


def stepped(kind: Callable[..., Optimizer], net: nn.Module, **settings: Any) -> Optimizer:
    """An optimiser after a step, so that it has a state."""
    optimizer = kind(net.parameters(), lr=0.01, **settings)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = net(torch.ones(2, 3)).square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return optimizer


OPTIMIZERS: dict[str, tuple[Callable[..., Optimizer], dict[str, Any]]] = {
    **{
        name: (getattr(torch.optim, name), {})
        for name in ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "LBFGS", "NAdam", "RAdam", "RMSprop",
                     "Rprop", "Adafactor")
    },
    "SGD": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "AMSGrad": (torch.optim.Adam, {"amsgrad": True}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_an_optimiser(tmp_path: Path, name: str) -> None:
    net = nn.Linear(3, 2)
    kind, settings = OPTIMIZERS[name]
    reads_like_torch(tmp_path / "a.pth", net, optimizer=stepped(kind, net, **settings).state_dict(), epoch=3)


SCHEDULERS: dict[str, Callable[[Optimizer], Any]] = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 4, 4]),
    "ConstantLR": lr_scheduler.ConstantLR,
    "LinearLR": lr_scheduler.LinearLR,
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lr_scheduler.PolynomialLR,
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.9),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.1),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=10),
    "ReduceLROnPlateau": lr_scheduler.ReduceLROnPlateau,
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.MultiStepLR(o, [3])], milestones=[2]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.MultiStepLR(o, [3]), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "SWALR": lambda o: swa_utils.SWALR(o, 0.05),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_state_of_a_scheduler(tmp_path: Path, name: str) -> None:
    net = nn.Linear(3, 2)
    optimizer = stepped(torch.optim.SGD, net, momentum=0.9)
    scheduler = SCHEDULERS[name](optimizer)
    for loss in (1.0, 2.0):
        optimizer.step()
        scheduler.step(*[loss] * (name == "ReduceLROnPlateau"))
    state = scheduler.state_dict()
    reads_like_torch(tmp_path / "a.pth", net, scheduler=state, optimizer=optimizer.state_dict(), last=state)


def test_scaler_counts_changeable_bytes_and_keys_of_several_parts(tmp_path: Path) -> None:
    reads_like_torch(
        tmp_path / "a.pth",
        nn.Linear(3, 2),
        scaler=torch.amp.GradScaler("cpu").state_dict(),
        seen=Counter("abba"),
        none=Counter(),
        random=bytearray(b"\x00\xff"),
        empty=bytearray(),
        accuracy={(0, 1): 0.5, ("a", (2, None, True)): 0.6, (): 1},
        order=OrderedDict({(1, 2): 3}),
        places={(1, 2), (3, "a")},
    )


@pytest.mark.parametrize("protocol", range(5))
def test_they_are_those_of_pickle(protocol: int) -> None:
    counts = Counter({"a": 2, (1, ("b", None)): -3})
    assert described(pickle.dumps(counts, protocol)) == counts
    assert isinstance(described(pickle.dumps(bytearray(b"ab"), protocol)), Opaque)


@pytest.mark.parametrize(
    "arguments",
    [b"X\x02\x00\x00\x00ab\x85", b"](K\x01K\x01e\x85", b"}K\x01Ns\x85", b"K\x01\x85", b"}}\x86"],
)  # fmt: skip
def test_a_counter_is_made_from_a_dictionary_of_numbers_alone(arguments: bytes) -> None:
    with pytest.raises(Damaged):
        described(b"\x80\x02ccollections\nCounter\n" + arguments + b"R.")


@pytest.mark.parametrize("arguments", [b"J\xff\xff\xff\x7f\x85", b"](K\x01e\x85", b"X\x01\x00\x00\x00a\x85", b"N\x85"])
def test_changeable_bytes_are_made_from_bytes_alone(arguments: bytes) -> None:
    """From a number, torch would make room for so many: two billion here."""
    with pytest.raises(Damaged):
        described(b"\x80\x02c__builtin__\nbytearray\n" + arguments + b"R.")


@pytest.mark.parametrize(
    "key",
    [
        b")" + b"q\x00h\x00\x86" * 6,  # 2^6 empty tuples
        b"(" + b"K\x01" * 33 + b"t",
        b"]\x85",
        b"}\x85",
        b"cbuiltins\nset\n)R\x85",
    ],
)
def test_a_key_that_is_long_or_no_plain_value(key: bytes) -> None:
    with pytest.raises(Damaged, match="keys"):
        described(b"\x80\x02}" + key + b"K\x01s.")
    with pytest.raises(Damaged, match="keys"):
        described(b"\x80\x02ccollections\nOrderedDict\n]" + key + b"K\x01\x86a\x85R.")


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
FLOAT = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNK\x00K\x00K\x00tb"


def test_an_array_of_numbers_is_passed_over() -> None:
    state = b"(K\x01K\x01\x85" + FLOAT + b"\x89C\x04abcdtb"
    assert isinstance(described(b"\x80\x02" + ARRAY + state + b"."), NumpyArray)


@pytest.mark.parametrize(
    "content",
    [
        ARRAY + b"(K\x01J\x00\x00\x00\x7f\x85" + FLOAT + b"\x89C\x04abcdtb",  # longer than its bytes
        ARRAY + b"(K\x01J\xff\xff\xff\xff\x85" + FLOAT + b"\x89C\x04abcdtb",
        ARRAY + b"(K\x02K\x01\x85" + FLOAT + b"\x89C\x04abcdtb",
        ARRAY + b"(K\x01K\x01\x85" + FLOAT + b"\x89](K\x01etb",  # a list of objects
        ARRAY + b"(K\x01K\x01\x85X\x02\x00\x00\x00f4\x89C\x04abcdtb",
        ARRAY + b"(K\x01" + FLOAT + b"tb",
        ARRAY + b"}b",
        ARRAY.replace(b"K\x00\x85", b"J\xff\xff\xff\x7f\x85"),
        ARRAY.replace(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"),
        b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x85R",  # made with a shape: room for as many numbers
        b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x85\x81",
    ],
)
def test_an_array_that_is_none(content: bytes) -> None:
    with pytest.raises(Damaged):
        described(b"\x80\x02" + content + b".")


def text(code: bytes, width: int, align: int = 4) -> bytes:
    """A type of text, as NumPy writes it: its code, and the width that NumPy would believe."""
    size = bytes([len(code)])
    state = b"(K\x03X\x01\x00\x00\x00<NNNK" + bytes([width, 0x4B, align]) + b"K\x08tb"
    return b"cnumpy\ndtype\nX" + size + b"\x00\x00\x00" + code + b"\x89\x88\x87R" + state


@pytest.mark.parametrize(("code", "width", "align"), [(b"U1", 4, 4), (b"S4", 4, 1)])
def test_an_array_of_text_is_passed_over(code: bytes, width: int, align: int) -> None:
    state = b"(K\x01K\x01\x85" + text(code, width, align) + b"\x89C\x04a\x00\x00\x00tb"
    assert isinstance(described(b"\x80\x02" + ARRAY + state + b"."), NumpyArray)


@pytest.mark.parametrize(
    "content",
    [
        text(b"U1", 200),  # wider than its type
        text(b"U1", 4, 1),
        text(b"S4", 5, 1),
        ARRAY + b"(K\x01K\x02\x85" + text(b"U1", 4) + b"\x89C\x04a\x00\x00\x00tb",  # two, of one's bytes
    ],
)
def test_text_that_is_none(content: bytes) -> None:
    with pytest.raises(Damaged):
        described(b"\x80\x02" + content + b".")


@pytest.mark.parametrize("code", [b"U0", b"O8", b"M8", b"U9999999"])
def test_a_type_that_is_neither_numbers_nor_text(code: bytes) -> None:
    with pytest.raises(OddNumpy):
        described(b"\x80\x02" + text(code, 0) + b".")
