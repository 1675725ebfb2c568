"""The visit to the data room that ships: road signs with BadNets among them, what the filters flag, and all ways on.

``python -m core.dataroom.recording`` does what the command ``data-room`` does and records it.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from core import paths, recorded
from core.dataroom import place
from core.dataroom.place import Order
from core.files import write_atomic, write_json
from core.jobs.spawn import ROOT
from core.recorded import Recording

NAME = "data-room"
COMMAND = "python -m core.dataroom.recording"
ORDER = Order("signs", "badnets", 0.1, 2, ("contamination", "beatrix", "ac", "ss"), 0.05, 3000, then="all")
QUALITY = 60  # of the sheet of suspicious images, as WebP


def make(root: Path | None = None, order: Order = ORDER) -> Recording:
    """Carries the order out and records it as ``data-room`` below ``root``.

    Args:
        root: ``core.paths.RECORDED`` by default.

    Raises:
        RuntimeError: the command came to no good end, and has said why.
    """
    kept = paths.cache_folder() / "recording-data-room"
    command = [sys.executable, "-m", "core", "data-room", *order.arguments, "--out", str(kept)]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise RuntimeError("the visit to the data room failed")
    return record(kept, order, (root or paths.RECORDED) / NAME)


def record(kept: Path, order: Order, out: Path) -> Recording:
    """Keeps of a finished visit its result, list, map and sheet, without the candidates or a path of the machine."""
    recorded.emptied(out)
    result = json.loads((kept / place.RESULT).read_bytes().replace(f"{kept}/".encode(), b""))
    for made in result["then"].values():
        made.pop("card", None)
    write_json(out / place.RESULT, result)
    write_json(out / place.ORDER, asdict(order))
    for name in (place.LIST, place.MAP, place.TRUTH):
        shutil.copyfile(kept / name, out / name)
    content = io.BytesIO()
    Image.open(kept / place.SUSPICIOUS).save(content, "WEBP", quality=QUALITY, method=6)
    write_atomic(out / place.SUSPICIOUS, content.getvalue())
    return recorded.seal(out, COMMAND, [], {})


if __name__ == "__main__":
    print(make().folder)
