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
AVERAGED = (
    "model_ema", "state_dict_ema", "ema_state_dict", "model_ema_state_dict", "ema_model", "ema", "swa_model", "teacher",
)  # fmt: skip
PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.")
_NOT_WEIGHTS = ("optim", "sched", "scaler", "hyper", "grad")
_DEPTH = 4


@dataclass(frozen=True)
class Unwrapped:
    """Where in a checkpoint the weights were.

    ``path``: keys from the outside in. ``tensors``: names as in the file. ``beside``: what stood next to them on the
    way and among them, numbers and short words as they are, everything else as None. ``averaged``: the key of a moving
    average that was left aside, or (``only_averaged``) taken since there was nothing else.
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
    finders = [_Finder(is_tensor, averaged) for averaged in (False, True)]
    path = next((path for finder in finders if (path := finder.path(content)) is not None), None)
    if path is None:
        return None
    beside: dict[str, str | int | float | None] = {}
    other = ""
    for key in path:
        for name, value in content.items():
            if isinstance(name, str) and name != key and not is_tensor(value):
                beside[name] = _short(value)
                if name in AVERAGED and finders[True].path(value) is not None:
                    other = name
        content = content[key]
    for name, value in content.items():
        if isinstance(name, str) and not is_tensor(value):
            beside[name] = _short(value)
    return Unwrapped(
        path=path,
        tensors={name: value for name, value in content.items() if isinstance(name, str) and is_tensor(value)},
        beside={name: value for name, value in beside.items() if name != other},
        averaged=other or next((key for key in path if key in AVERAGED), ""),
        only_averaged=not other and any(key in AVERAGED for key in path),
    )


class _Finder:
    """Looks for the weights, once in every dictionary and depth, however many others hold the same dictionary.

    Args:
        is_tensor: as in ``unwrap``. averaged: whether moving averages are looked into.
    """

    def __init__(self, is_tensor: Callable[[Any], bool], averaged: bool) -> None:
        self.is_tensor, self.averaged = is_tensor, averaged
        self.wrappers = (*WRAPPERS, *AVERAGED) if averaged else WRAPPERS
        self.counts: dict[int, int] = {}
        self.found: dict[tuple[int, int], tuple[int, tuple[str, ...]] | None] = {}

    def path(self, content: Any) -> tuple[str, ...] | None:
        """Keys down to the weights, or None."""
        best = self._best(content, _DEPTH, frozenset()) if isinstance(content, dict) else None
        return best[1] if best else None

    def _best(self, content: dict[Any, Any], depth: int, above: frozenset[int]) -> tuple[int, tuple[str, ...]] | None:
        """How many tensors the weights are, and the keys down to them. ``above``: the dictionaries around this one,
        in which one that holds itself is not looked for again.
        """
        if id(content) in above:
            return None
        place = (id(content), depth)
        if place not in self.found:
            self.found[place] = self._searched(content, depth, above | {id(content)})
        return self.found[place]

    def _searched(
        self, content: dict[Any, Any], depth: int, above: frozenset[int]
    ) -> tuple[int, tuple[str, ...]] | None:
        if {"state", "param_groups"} <= content.keys():  # an optimiser's
            return None
        inner = dict.fromkeys(_inner(content, self.averaged)) if depth else {}
        for name in self.wrappers:
            if name in inner:
                below = self._best(content[name], depth - 1, above)
                if below is not None:
                    return below[0], (name, *below[1])
        own = self._count(content)
        best: tuple[int, tuple[str, ...]] | None = (own, ()) if own else None
        for name in inner:
            below = self._best(content[name], depth - 1, above)
            if below is not None and (best is None or below[0] > best[0]):
                best = (below[0], (name, *below[1]))
        return best

    def _count(self, content: dict[Any, Any]) -> int:
        """Tensors with a name in ``content`` itself."""
        if id(content) not in self.counts:
            self.counts[id(content)] = sum(
                isinstance(name, str) and self.is_tensor(value) for name, value in content.items()
            )
        return self.counts[id(content)]


def _inner(content: dict[Any, Any], averaged: bool) -> Iterator[str]:
    for name, value in content.items():
        if not (isinstance(name, str) and isinstance(value, dict)) or (name in AVERAGED and not averaged):
            continue
        if not any(word in name.lower() for word in _NOT_WEIGHTS):
            yield name


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
