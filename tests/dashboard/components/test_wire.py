"""What Python packs, and what the browser makes of it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from dashboard.components.wire import bundled, packed

ARRAYS = {"one": np.array([1, 2, 3], np.uint8), "two": np.array([1.5, -2.0], ">f4")}


def parts(payload: bytes) -> tuple[dict, bytes]:
    (size,) = struct.unpack("<I", payload[4:8])
    return json.loads(payload[8 : 8 + size]), payload[8 + size :]


def test_header_and_arrays_lie_where_the_sections_say() -> None:
    payload = packed(b"TEST", {"name": "一時停止"}, ARRAYS)
    header, body = parts(payload)
    assert payload[:4] == b"TEST"
    assert header["name"] == "一時停止"
    assert (len(payload) - len(body)) % 4 == 0
    assert all(start % 4 == 0 for start, _ in header["sections"].values())
    start, length = header["sections"]["two"]
    assert np.frombuffer(body[start : start + length], "<f4").tolist() == [1.5, -2.0]


def test_the_digest_changes_with_header_or_arrays_and_with_nothing_else() -> None:
    digest = parts(packed(b"TEST", {"a": 1}, ARRAYS))[0]["digest"]
    assert parts(packed(b"TEST", {"a": 1}, ARRAYS))[0]["digest"] == digest
    assert parts(packed(b"TEST", {"a": 2}, ARRAYS))[0]["digest"] != digest
    assert parts(packed(b"TEST", {"a": 1}, ARRAYS | {"one": np.array([1, 2, 4], np.uint8)}))[0]["digest"] != digest


def test_what_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        packed(b"TEST", {"a": float("nan")}, {})


def test_modules_are_joined_without_their_imports_and_exports(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("export const A = 1;\n")
    (tmp_path / "b.js").write_text('import {\n  A,\n} from "./a.js";\nexport const B = A + 1;\n')
    (tmp_path / "c.js").write_text('import { B } from "./b.js";\nexport default function () { return B; }\n')
    text = bundled(tmp_path / f"{name}.js" for name in "abc")
    assert "import" not in text
    assert [line for line in text.splitlines() if line.startswith("export")] == [
        "export default function () { return B; }"
    ]
