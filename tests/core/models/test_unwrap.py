from __future__ import annotations

from typing import Any

import pytest

from core.models.unwrap import common_prefix, unwrap


class T:
    """Stands for a tensor."""


A, B, C = T(), T(), T()
NET = {"conv.weight": A, "fc.weight": B}


def found(content: Any) -> Any:
    result = unwrap(content, lambda value: isinstance(value, T))
    return None if result is None else (result.path, result.tensors)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (NET, ()),
        ({"net": NET, "acc": 93.1, "epoch": 7}, ("net",)),
        ({"state_dict": {"model": NET}}, ("state_dict", "model")),
        ({"model": {"state_dict": NET, "ema": {"conv.weight": C, "fc.weight": C}}}, ("model", "state_dict")),
        ({"netC": NET, "optimizerC": {"state": {"a": A, "b": B, "c": C}}, "best": 3}, ("netC",)),
        ({"grid": C, "netC": NET}, ("netC",)),
        ({"conv.weight": A, "fc.weight": B, "extra": {"x": C}}, ()),
        ({"state_dict_ema": {"conv.weight": C, "fc.weight": C, "x": C}, "network": NET}, ("network",)),
        ({"state_dict": {}, "weights": NET}, ("weights",)),
        ({"optimizer": NET}, None),
        ({"a": {"b": {"c": {"d": {"e": NET}}}}}, None),
        ({"state_dict": [A]}, None),
        ({"a": (shared := {"b": NET}), "c": {"d": {"e": {"f": shared}}}}, ("a", "b")),
        ({"c": {"d": {"e": {"f": (shared := {"b": NET})}}}, "z": shared}, ("z", "b")),
        (None, None),
        ([NET], None),
    ],
)
def test_where_the_weights_are(content: Any, path: tuple[str, ...] | None) -> None:
    result = found(content)
    assert (result and result[0]) == path
    if result:
        assert all(isinstance(value, T) for value in result[1].values())
        assert list(result[1]) == list(NET)


def test_a_moving_average_is_named_and_left_aside() -> None:
    result = unwrap({"state_dict": NET, "state_dict_ema": {"conv.weight": C}, "epoch": 3}, lambda v: isinstance(v, T))
    assert result is not None
    assert (result.path, result.averaged, result.only_averaged) == (("state_dict",), "state_dict_ema", False)
    assert result.beside == {"epoch": 3}


def test_a_moving_average_alone_is_taken_and_said_to_be_one() -> None:
    result = unwrap({"model_ema": {"state_dict": NET}, "epoch": 3}, lambda v: isinstance(v, T))
    assert result is not None
    assert (result.path, result.averaged, result.only_averaged) == (("model_ema", "state_dict"), "model_ema", True)


def test_what_stands_beside_is_listed_with_short_values() -> None:
    content = {"epoch": 3, "arch": "resnet18", "log": "x" * 99, "optimizer": {}, "state_dict": NET, 7: 8, "t": C}
    result = unwrap(content, lambda value: isinstance(value, T))
    assert result is not None
    assert result.beside == {"epoch": 3, "arch": "resnet18", "log": None, "optimizer": None}


def test_a_dictionary_that_holds_itself_is_no_trap() -> None:
    endless: dict[str, Any] = {"a": A}
    endless["state_dict"] = endless
    endless["other"] = {"model": endless}
    assert found(endless) == ((), {"a": A})


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("last", [{}, {"a": A}])
def test_dictionaries_that_share_their_contents_are_each_counted_once(circular: bool, last: dict[str, Any]) -> None:
    """Each of six holds the next under thirty names, or thirty hold all thirty: 30^4 ways lead down."""
    everyone: list[dict[str, Any]] = [dict(last) for _ in range(30 if circular else 6)]
    for at, holder in enumerate(everyone):
        holder["number"] = at
        for number in range(30):
            if circular or at + 1 < len(everyone):
                holder[f"inside{number}"] = everyone[number if circular else at + 1]
    looked = 0

    def is_tensor(value: Any) -> bool:
        nonlocal looked
        looked += 1
        return isinstance(value, T)

    result = unwrap(everyone[0], is_tensor)
    assert (result is not None) == bool(last)
    assert looked <= 4 * sum(map(len, everyone))


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (["module.a", "module.b"], "module."),
        (["module._orig_mod.model.a.b", "module._orig_mod.model.c"], "module._orig_mod.model."),
        (["model.module.net.a"], "model.module.net."),
        (["module.a", "b"], ""),
        (["backbone.a", "backbone.b"], ""),
        (["module.", "module.a"], ""),
        (["net.a", "network.b"], ""),
        ([], ""),
    ],
)
def test_what_all_names_begin_with(names: list[str], prefix: str) -> None:
    assert common_prefix(names) == prefix
