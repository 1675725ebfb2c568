"""Finding the network's tensors in a checkpoint, among optimiser state, counters and copies of the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

WRAPPERS = (
    "state_dict", "model_state_dict", "net_state_dict", "model_state", "net_state", "model", "net", "network",
    "weights", "params", "module", "classifier",
)  # fmt: skip
# moving averages of the weights, kept beside the weights themselves
AVERAGED = ("model_ema", "state_dict_ema", "ema_state_dict", "model_ema_state_dict", "ema_model", "ema", "swa_model")
PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.")
_NOT_WEIGHTS = ("optim", "sched", "scaler", "hyper", "grad")
_DEPTH = 4


@dataclass(frozen=True)
class Unwrapped:
    """Where in a checkpoint the weights were.

    ``path``: keys from the outside in. ``tensors``: names as in the file. ``beside``: what stood next to them on the
    way, numbers and short words as they are, everything else as None. ``averaged``: the key of a moving average
    that was left aside, or (``only_averaged``) taken since there was nothing else.
    """

    path: tuple[str, ...]
    tensors: dict[str, Any]
    beside: dict[str, str | int | float | None] = field(default_factory=dict)
    averaged: str = ""
    only_averaged: bool = False


def unwrap(content: Any, is_tensor: Callable[[Any], bool]) -> Unwrapped | None:
    """The dictionary of named tensors in ``content`` that is the network's, or None.

    A known wrapper (``WRAPPERS``, in that order) comes first, then the dictionary itself, then whatever inner
    dictionary has most tensors; optimisers and schedulers never; a moving average only if nothing else is there.

    Args:
        content: what the file holds.
        is_tensor: tells a tensor, or its description, from everything else.
    """
    for averaged in (False, True):
        path = _search(content, is_tensor, averaged, _DEPTH, set())
        if path is not None:
            break
    else:
        return None
    beside: dict[str, str | int | float | None] = {}
    other = ""
    for key in path:
        for name, value in content.items():
            if isinstance(name, str) and name != key and not is_tensor(value):
                beside[name] = _short(value)
                if name in AVERAGED and _search(value, is_tensor, True, _DEPTH, set()) is not None:
                    other = name
        content = content[key]
    return Unwrapped(
        path=path,
        tensors={name: value for name, value in content.items() if isinstance(name, str) and is_tensor(value)},
        beside={name: value for name, value in beside.items() if name != other},
        averaged=other or next((key for key in path if key in AVERAGED), ""),
        only_averaged=not other and any(key in AVERAGED for key in path),
    )


def _search(
    content: Any, is_tensor: Callable[[Any], bool], averaged: bool, depth: int, seen: set[int]
) -> tuple[str, ...] | None:
    """Keys down to the weights. ``seen`` and ``depth`` bound dictionaries that hold themselves."""
    if not isinstance(content, dict) or id(content) in seen:
        return None
    seen = seen | {id(content)}
    own = _count(content, is_tensor)
    inner = list(_inner(content, averaged)) if depth else []
    for name in (*WRAPPERS, *(AVERAGED if averaged else ())):
        if name in inner:
            path = _search(content[name], is_tensor, averaged, depth - 1, seen)
            if path is not None:
                return (name, *path)
    best: tuple[int, tuple[str, ...]] | None = (own, ()) if own else None
    for name in inner:
        path = _search(content[name], is_tensor, averaged, depth - 1, seen)
        if path is None:
            continue
        found = content[name]
        for key in path:
            found = found[key]
        count = _count(found, is_tensor)
        if best is None or count > best[0]:
            best = (count, (name, *path))
    return best[1] if best else None


def _inner(content: dict[Any, Any], averaged: bool) -> Iterator[str]:
    for name, value in content.items():
        if not (isinstance(name, str) and isinstance(value, dict)) or (name in AVERAGED and not averaged):
            continue
        if not any(word in name.lower() for word in _NOT_WEIGHTS):
            yield name


def _count(content: dict[Any, Any], is_tensor: Callable[[Any], bool]) -> int:
    return sum(isinstance(name, str) and is_tensor(value) for name, value in content.items())


def _short(value: Any) -> str | int | float | None:
    if isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= 40 and value.isprintable()):
        return value
    return None


def common_prefix(names: list[str]) -> str:
    """What all names begin with, made of ``PREFIXES`` in any nesting; "" if there is nothing."""
    prefix = ""
    while names:
        more = next((p for p in PREFIXES if all(name.startswith(prefix + p) for name in names)), None)
        if more is None or any(len(name) == len(prefix + more) for name in names):
            return prefix
        prefix += more
    return prefix
