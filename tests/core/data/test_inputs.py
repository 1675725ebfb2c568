"""Names of inputs, read and written."""

from __future__ import annotations

import pytest

from core.data.inputs import NORMALIZATIONS, Inputs


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("none", Inputs()),
        ("imagenet@224", Inputs("imagenet", (224, 224))),
        ("cifar10-b@32x48:bgr", Inputs("cifar10-b", (32, 48), "bgr")),
        ("half:grey3", Inputs("half", None, "grey3")),
        ("0.3/0.35", Inputs("0.3/0.35")),
        ("0.49,0.48,0.45/.2,.2,.25@64:bgr", Inputs("0.49,0.48,0.45/.2,.2,.25", (64, 64), "bgr")),
    ],
)
def test_names_of_inputs_are_read_back(name: str, inputs: Inputs) -> None:
    assert Inputs.parse(name) == inputs
    assert inputs.name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "no",
        "0.3",
        "0.3/0",
        "1,2/3",
        "0.3/0.35/1",
        "a/b",
        "none@",
        "none@2000",
        "none:",
        "none:rgb",
        "@32",
        "none@32x",
        "none 32",
    ],
)
def test_what_is_no_name_of_inputs(name: str) -> None:
    assert Inputs.parse(name) is None


def test_scalings_have_three_numbers_each() -> None:
    for mean, std in NORMALIZATIONS.values():
        assert len(mean) == len(std) == 3
        assert all(0 <= value < 1 for value in mean)
        assert all(0 < value <= 1 for value in std)
