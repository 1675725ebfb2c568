"""Our JavaScript, run by the Node that playwright brings."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

COMPONENTS = Path(__file__).resolve().parents[2] / "dashboard" / "components"

DECODE = """
import fs from "node:fs";
import {{ decode }} from {decode!r};
const plain = (value) => ArrayBuffer.isView(value) ? Array.from(value, (x) => Number.isNaN(x) ? null : x)
  : Array.isArray(value) ? value.map(plain)
  : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
  : value;
console.log(JSON.stringify(plain(decode(new Uint8Array(fs.readFileSync({file!r})), null))));
"""


def node() -> str:
    playwright = pytest.importorskip("playwright")
    return str(Path(playwright.__file__).parent / "driver" / "node")


def run(script: str) -> Any:
    """What a module prints, read as JSON; it imports our files by their full paths."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.mjs"
        path.write_text(script)
        done = subprocess.run([node(), str(path)], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def decoded(payload: bytes) -> dict[str, Any]:
    """A payload of the live view, as ``decode.js`` reads it; in each frame ``coords`` (n, dims), NaN for no place."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload)
        file.flush()
        found = run(DECODE.format(decode=str(COMPONENTS / "stage_assets" / "decode.js"), file=file.name))
    for frame in found["frames"]:
        frame["coords"] = np.array(frame["coords"], float).reshape(found["points"], found["dims"])
    return found
