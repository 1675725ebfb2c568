from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import BadInput
from core.models.classifier import Classifier
from core.models.own_class import own_candidate
from core.models.small import SmallNet
from core.models.weights import Weights

WEIGHTS = Weights(dict(SmallNet(5, width=2).state_dict()), "module.")
NET = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self{arguments}):
        super().__init__()
        {before}
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, {classes}))
    def forward(self, x):
        return self.net(x)
"""


def write(folder: Path, arguments: str, classes: str, before: str = "pass") -> str:
    path = folder / "net.py"
    path.write_text(NET.format(arguments=arguments, classes=classes, before=before))
    return f"{path}:Net"


STATE = {"net.1.weight": torch.rand(5, 12), "net.1.bias": torch.rand(5)}


@pytest.mark.parametrize(
    ("arguments", "classes"),
    [(", num_classes", "num_classes"), (", n_out", "n_out"), ("", "5"), (", depth=3, num_classes=10", "num_classes")],
)
def test_the_ways_to_make_it(tmp_path: Path, arguments: str, classes: str) -> None:
    model_class = write(tmp_path, arguments, classes)
    found = own_candidate(model_class, Weights(STATE), 5)
    assert (found.arch, found.classes) == (model_class, 5)
    net = found.network()
    assert torch.equal(net.state_dict()["net.1.weight"], STATE["net.1.weight"])
    assert found.network() is not net
    assert not net.training


def test_names_with_the_prefix_that_was_taken_off(tmp_path: Path) -> None:
    """The class has a part called net, and so has every name in the file."""
    weights = Weights({name.removeprefix("net."): value for name, value in STATE.items()}, "net.")
    found = own_candidate(write(tmp_path, "", "5"), weights, 5)
    assert sorted(found.weights.named_as_in_file(found.network().state_dict())) == sorted(STATE)


def test_its_neighbours_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("from core.models.small import SmallNet\nclass Net(SmallNet):\n    pass\n")
    (tmp_path / "here.py").write_text("from neighbour import Net\ndef make(n):\n    return Net(n, width=2)\n")
    found = own_candidate(f"{tmp_path / 'here.py'}:make", WEIGHTS, 5)
    assert type(found.network()).__name__ == "Net"
    assert found.channels == 3


@pytest.mark.parametrize(
    ("code", "text", "named"),
    [
        ("model_class_broken", "import no_such_module\n", "no_such_module"),
        ("model_class_broken", "class Net(\n", "SyntaxError"),
        ("model_class_missing", "x = 1\n", "no class Net"),
        ("model_class_fails", "class Net:\n    def __init__(self, a, b, c):\n        pass\n", "TypeError"),
        ("model_class_fails", "def Net(*args, **kwargs):\n    return 3\n", "torch.nn.Module"),
        ("model_class_broken", "import sys\nsys.exit(3)\n", "SystemExit: 3"),
        (
            "model_class_broken",
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x', required=True)\np.parse_args()\n",
            "SystemExit: 2",
        ),
        ("model_class_fails", "import sys\ndef Net(*args, **kwargs):\n    sys.exit('no GPU')\n", "SystemExit: no GPU"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path: Path, code: str, text: str, named: str) -> None:
    (tmp_path / "net.py").write_text(text)
    with pytest.raises(BadInput) as caught:
        own_candidate(f"{tmp_path / 'net.py'}:Net", Weights(STATE), 5)
    assert caught.value.code == code
    assert named in caught.value.message
    assert "\n" not in caught.value.message


def test_our_arguments_are_not_its_arguments(tmp_path: Path) -> None:
    """Neither while the file is executed nor while the class is made; afterwards they are as they were."""
    ours = sys.argv
    before = "import argparse; argparse.ArgumentParser().parse_args()"
    model_class = write(tmp_path, ", num_classes", "num_classes", before)
    path = tmp_path / "net.py"
    path.write_text(f"{before}\nimport sys\nassert sys.argv == [{str(path)!r}]\n{path.read_text()}")
    assert own_candidate(model_class, Weights(STATE), 5).classes == 5
    assert sys.argv is ours


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        own_candidate(f"{tmp_path / 'net.py'}:Net", Weights(STATE), 5)
    assert caught.value.code == "model_class_not_found"


@pytest.mark.parametrize(
    ("state", "code", "named"),
    [
        ({"net.1.weight": torch.rand(5, 12)}, "weights_do_not_fit", "net.1.bias"),
        (STATE | {"more": torch.ones(1)}, "weights_left_over", "more"),
        ({"net.1.weight": torch.rand(5, 13), "net.1.bias": torch.rand(5)}, "weights_do_not_fit", "net.1.weight"),
    ],
)
def test_weights_that_do_not_fit_name_the_tensor(
    tmp_path: Path, state: dict[str, torch.Tensor], code: str, named: str
) -> None:
    with pytest.raises(BadInput) as caught:
        own_candidate(write(tmp_path, ", num_classes", "num_classes"), Weights(state), 5)
    assert caught.value.code == code
    assert caught.value.facts["name"] == named


HEAD_FIRST = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.{head}
        self.hidden = nn.{hidden}
    def forward(self, x):
        return self.head(self.hidden(x).mean((2, 3){keep})).flatten(1)
"""


def test_a_head_that_is_registered_before_other_layers(tmp_path: Path) -> None:
    text = HEAD_FIRST.replace("self.hidden(x).mean((2, 3){keep})", "self.hidden(x.mean((2, 3)))")
    (tmp_path / "net.py").write_text(text.format(head="Linear(7, 5)", hidden="Linear(3, 7)"))
    state = {**nn.Linear(7, 5).state_dict(prefix="head."), **nn.Linear(3, 7).state_dict(prefix="hidden.")}
    found = own_candidate(f"{tmp_path / 'net.py'}:Net", Weights(state), 5)
    assert found.classes == 5
    assert Classifier(found.network()).num_classes == 5


def test_a_head_that_is_a_convolution_is_told(tmp_path: Path) -> None:
    text = HEAD_FIRST.format(head="Conv2d(7, 5, 1)", hidden="Conv2d(3, 7, 1)", keep=", keepdim=True")
    (tmp_path / "net.py").write_text(text)
    state = {**nn.Conv2d(7, 5, 1).state_dict(prefix="head."), **nn.Conv2d(3, 7, 1).state_dict(prefix="hidden.")}
    with pytest.raises(BadInput, match="Net has no linear layer") as caught:
        own_candidate(f"{tmp_path / 'net.py'}:Net", Weights(state), 5)
    assert caught.value.code == "no_linear_layer"
