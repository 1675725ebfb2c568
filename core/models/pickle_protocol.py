"""A pickle of the protocols 3 to 5 written again in protocol 2, the one that ``torch.load`` reads without running code.

``torch.save`` writes protocol 2, and takes another where it is asked to (``pickle_protocol``). The values are the same;
what is new are shorter instructions for text, bytes, names of globals and what is remembered. What is written here is
described and judged afterwards like any other pickle (``core.models.pickled``), and that is what torch then reads.
"""

from __future__ import annotations

import pickle
import pickletools
from itertools import chain, pairwise

from core.models.pickle_values import (
    MOST_OPCODES,
    QUANTISED,
    Damaged,
    OtherProtocol,
    QuantisedValues,
    WantsCode,
    is_plain,
)

LARGEST = 64 * 2**20  # bytes of the new pickle: text that is remembered is written out each time
PROTOCOL = 2
_TEXT = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES")
_SAME = {
    "GLOBAL", "NEWOBJ", "REDUCE", "BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "MARK", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3", "NONE", "NEWFALSE", "NEWTRUE", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "BININT", "BININT1",
    "BININT2", "BINFLOAT", "SHORT_BINSTRING", "BINPERSID", "LONG1", "STOP",
}  # fmt: skip


def as_protocol_2(data: bytes, most: int = MOST_OPCODES) -> bytes:
    """The same values in protocol 2; ``data`` itself where it is of that protocol.

    Args:
        most: instructions that it may have.

    Raises:
        OtherProtocol: it has an instruction that protocol 2 has no counterpart of, such as those for sets.
        WantsCode: it names a global other than those of plain tensors and containers.
        QuantisedValues: it names a type of quantised numbers.
        Damaged: it would be too large, or is endless.
    """
    if data[:1] != pickle.PROTO or data[1] <= PROTOCOL:
        return data
    writer = _Writer()
    instructions = chain(pickletools.genops(data), [(None, None, len(data))])  # a list of them may take gigabytes
    for count, ((opcode, argument, at), (_, _, end)) in enumerate(pairwise(instructions)):
        if count > most:
            raise Damaged(f"it has more than {most} instructions")
        if opcode is not None:
            writer.take(opcode.name, argument, data[at:end])
    return writer.written()


class _Writer:
    """``pieces``: what is written, text as text until it is known whether it names a global. ``texts``: those that are
    remembered, by number; ``remembered``: how many values are."""

    def __init__(self) -> None:
        self.pieces: list[bytes | str] = []
        self.texts: dict[int, str] = {}
        self.remembered = self.size = 0

    def take(self, name: str, argument: object, raw: bytes) -> None:
        if name == "PROTO":
            self.put(pickle.PROTO + bytes([PROTOCOL]))
        elif name in _TEXT:
            self.put(str(argument))
        elif name in _BYTES and isinstance(argument, bytes):
            self.put(b"c_codecs\nencode\n")
            self.put(argument.decode("latin1"))
            self.put("latin1")
            self.put(pickle.TUPLE2 + pickle.REDUCE)
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            self.remember(self.remembered if name == "MEMOIZE" else int(str(argument)))
        elif name in ("BINGET", "LONG_BINGET"):
            self.put(self.texts.get(int(str(argument)), raw))
        elif name == "STACK_GLOBAL":
            self.name_global()
        elif name in _SAME:
            self.put(raw)
        elif name != "FRAME":
            raise OtherProtocol(name)

    def put(self, piece: bytes | str) -> None:
        self.size += len(piece)
        if self.size > LARGEST:
            raise Damaged("its text is remembered too often")
        self.pieces.append(piece)

    def remember(self, number: int) -> None:
        self.remembered += 1
        last = self.pieces[-1]
        if isinstance(last, str):
            self.texts[number] = last
        else:
            self.texts.pop(number, None)
            self.put(pickle.LONG_BINPUT + number.to_bytes(4, "little"))

    def name_global(self) -> None:
        name, module = self.pieces.pop(), self.pieces.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise Damaged("a global without a name")
        full = f"{module}.{name}"
        if full in QUANTISED:
            raise QuantisedValues(full)
        if not is_plain(full):
            raise WantsCode(full)
        self.put(f"c{module}\n{name}\n".encode())

    def written(self) -> bytes:
        return b"".join(piece if isinstance(piece, bytes) else _binary(piece) for piece in self.pieces)


def _binary(text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + len(content).to_bytes(4, "little") + content
