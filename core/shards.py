"""The files that the weights of one network are spread over, by the index beside them, as Hugging Face writes it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ENDING = ".index.json"
LARGEST_INDEX = 64 * 2**20  # bytes
MOST_SHARDS = 1000
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,200}\.(?:safetensors|bin|pt|pth)")


def shards(path: Path) -> list[Path]:
    """The files that an index names, all in its own folder; empty for any other file, or an index of another kind.

    Raises:
        OSError: it cannot be read.
    """
    if not path.name.endswith(ENDING) or path.stat().st_size > LARGEST_INDEX:
        return []
    try:
        listed: Any = json.loads(path.read_bytes())["weight_map"].values()
        names = sorted(set(listed))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    if not 0 < len(names) <= MOST_SHARDS or not all(isinstance(n, str) and _PLAIN.fullmatch(n) for n in names):
        return []
    return [path.with_name(name) for name in names]
