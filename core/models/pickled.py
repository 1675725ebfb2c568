"""What a PyTorch pickle says it holds, worked out without building or calling anything.

``torch.load(weights_only=True)`` runs no code, but it believes what the pickle says of sizes: a few bytes can ask
for a storage of 100 GB, or for one that is longer than the record it lies in. So every pickle is first read as a
list of opcodes (``pickletools``), by a small machine that knows plain values, descriptions of tensors, and the names
of globals, which are never looked up. What does not pass here never reaches torch.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any

from core.models.pickle_values import (
    CALLS,
    MOST_OPCODES,
    QUANTISED,
    STORAGES,
    Damaged,
    Global,
    OddNumpy,
    Opaque,
    QuantisedValues,
    Storage,
    WantsCode,
    check_state,
    is_plain,
    pairs,
    whole,
)

MOST_COPIED = 50_000_000  # characters, bytes and items that constructors are given; one text can be given many times


class _Mark:
    pass


_MARK = _Mark()


def describe(stream: IO[bytes], most: int = MOST_OPCODES) -> tuple[Any, dict[str, Storage]]:
    """The value of the next pickle in ``stream``, tensors as ``Described``; and the storages it names.

    Args:
        most: instructions that it may have.

    Raises:
        Damaged: it is no pickle, asks for a tensor outside its storage, or is endless.
        WantsCode: it names a global other than those of plain tensors and containers.
        OddNumpy: it holds NumPy values that are neither numbers nor text.
        QuantisedValues: it names a type of quantised numbers.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > most:
                raise Damaged(f"it has more than {most} instructions")
            machine.step(opcode.name, argument)
        return machine.result(), machine.storages
    except (Damaged, WantsCode, OddNumpy, QuantisedValues):
        raise
    except Exception as error:  # a damaged pickle can fail in any opcode; all of that means the same
        raise Damaged(f"{type(error).__name__} in its list of tensors") from error


class _Machine:
    """The stack of a pickle. Each opcode either moves plain values about or is refused."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.copied = 0

    def result(self) -> Any:
        (value,) = self.stack
        return value

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PUSHES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in ("GLOBAL", "STACK_GLOBAL", "INST"):
            self._global(name, argument)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(argument)])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in _SHORT_TUPLES:
            size = _SHORT_TUPLES[name]
            stack[-size:] = [tuple(stack[-size:])]
        elif name in _FROM_MARK:
            _FROM_MARK[name](self, self._since_mark())
        elif name == "APPEND":
            item = stack.pop()
            _list(stack[-1]).append(item)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _dict(stack[-1]).update(pairs([key, value]))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(self._called(function, arguments))
        elif name == "NEWOBJ":
            arguments, kind = stack.pop(), stack.pop()
            stack.append(self._called(kind, arguments))
        elif name == "BUILD":
            state = stack.pop()
            check_state(stack[-1], state)
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name == "POP":
            stack.pop()
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise Damaged(f"the instruction {name} has no place in a file of weights")

    def _since_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:  # runs out of the stack, an IndexError, where there is no mark
            at -= 1
            if at < 0:
                raise Damaged("a mark is missing")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _global(self, opcode: str, argument: Any) -> None:
        if opcode == "STACK_GLOBAL":
            name, module = self.stack.pop(), self.stack.pop()
            if not (isinstance(module, str) and isinstance(name, str)):
                raise Damaged("a global without a name")
        else:
            module, _, name = argument.partition(" ")
        module = {"__builtin__": "builtins"}.get(module, module)
        full = f"{module}.{name}"
        if full in QUANTISED:
            raise QuantisedValues(full)
        if opcode == "INST" or not is_plain(full):
            raise WantsCode(full)
        self.stack.append(Global(full))

    def _called(self, function: Any, arguments: Any) -> Any:
        if not (isinstance(function, Global) and isinstance(arguments, tuple) and function.name in CALLS):
            raise Damaged("it calls something that is no constructor")
        self.copied += sum(len(a) for a in arguments if isinstance(a, (str, bytes, list, tuple, dict)))
        if self.copied > MOST_COPIED:
            raise Damaged(f"it copies more than {MOST_COPIED} bytes and items")
        return CALLS[function.name](*arguments)

    def _storage(self, saved: Any) -> Storage:
        word, kind, key, _location, count, *view = saved
        if word not in ("storage", b"storage") or not isinstance(kind, Global) or any(item for item in view):
            raise Damaged("a storage of an unknown kind")
        if isinstance(key, int):
            key = str(key)
        if not (isinstance(key, str) and whole(count)):
            raise Damaged("a storage without a name or a length")
        storage = Storage(key, count, STORAGES[kind.name])
        known = self.storages.setdefault(key, storage)
        if known.count * known.width != storage.count * storage.width:
            raise Damaged("one storage has two lengths")
        return storage


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise Damaged("it appends to what is no list")
    return value


def _dict(value: Any) -> dict[Any, Any]:
    if type(value) is not dict:
        raise Damaged("it sets items of what is no dictionary")
    return value


def _extend(machine: _Machine, items: list[Any]) -> None:
    _list(machine.stack[-1]).extend(items)


def _set_items(machine: _Machine, items: list[Any]) -> None:
    _dict(machine.stack[-1]).update(pairs(items))


def _dict_from(machine: _Machine, items: list[Any]) -> None:
    machine.stack.append(pairs(items))


_PUSHES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES",
}  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": Opaque,
    "MARK": lambda: _MARK,
}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_FROM_MARK: dict[str, Callable[[_Machine, list[Any]], None]] = {
    "TUPLE": lambda machine, items: machine.stack.append(tuple(items)),
    "LIST": lambda machine, items: machine.stack.append(items),
    "DICT": _dict_from,
    "APPENDS": _extend,
    "SETITEMS": _set_items,
    "POP_MARK": lambda machine, items: None,
}
