"""How Python hands a picture to our components in the browser: one file of scripts, and one form of payload.

A payload is a magic of four bytes, the length of the header, the header (JSON), then the arrays, each aligned to 4. The
header's ``sections`` say where each array lies; its ``digest`` changes exactly when anything in the payload does.
``stage_assets/decode.js`` reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def packed(magic: bytes, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The payload as bytes, little-endian.

    Args:
        magic: four bytes that name the kind of payload.
        header: JSON without NaN; without ``sections`` and ``digest``, which are put in.
        arrays: by the names that ``sections`` calls them.

    Raises:
        ValueError: NaN or infinity in the header.
    """
    body = bytearray()
    sections: dict[str, list[int]] = {}
    for name, array in arrays.items():
        sections[name] = [len(body), array.nbytes]
        body.extend(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        body.extend(b"\0" * (-len(body) % 4))
    full = {**header, "sections": sections}
    full["digest"] = hashlib.blake2b(_json(full) + body, digest_size=12).hexdigest()
    text = _json(full)
    text += b" " * (-len(text) % 4)
    return magic + struct.pack("<I", len(text)) + text + bytes(body)


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False).encode()


def bundled(scripts: Iterable[Path]) -> str:
    """Modules as one module, in order of use.

    Streamlit runs a component's JavaScript from a blob, where relative imports lead nowhere. So the files, which are
    modules of their own for editors, linter and tests, are joined without their imports and exports.
    """
    parts = []
    for path in scripts:
        text = re.sub(r'^import [^;]*? from "[./\w]+\.js";\n', "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        parts.append(re.sub(r"^export (?!default)", "", text, flags=re.MULTILINE))
    return "\n".join(parts)
