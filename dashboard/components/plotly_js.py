"""plotly.js for our own components: the copy inside the installed plotly package, served by this server.

Streamlit serves the folder ``static`` beside the entry script at ``app/static`` (``server.enableStaticServing``).
"""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static"
NAME = "plotly.min.js"
_LONG_AGO = 1_000_000_000  # browsers keep a file without an expiry for a tenth of its age; its address has its version


def packaged() -> Path:
    """The file inside the plotly package, found without importing it.

    Raises:
        FileNotFoundError: plotly is not installed, or holds no plotly.js.
    """
    spec = find_spec("plotly")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / "package_data" / NAME
        if path.is_file():
            return path
    raise FileNotFoundError("The plotly package with its plotly.min.js is not installed; run make setup.")


def version(path: Path) -> str:
    """The version in the banner of a plotly.js file; "" if it has none or does not exist."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        found = re.search(rb"plotly\.js v([\w.-]+)", file.read(300))
    return found.group(1).decode() if found else ""


def ensure(folder: Path = STATIC, source: Path | None = None) -> str:
    """Puts plotly.js into ``folder`` if it is missing, cut short or of another version; returns its version."""
    source = source or packaged()
    wanted = version(source)
    target = folder / NAME
    if version(target) != wanted or target.stat().st_size != source.stat().st_size:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{NAME}.{os.getpid()}"
        shutil.copyfile(source, part)
        os.utime(part, (_LONG_AGO, _LONG_AGO))
        os.replace(part, target)
    return wanted


@cache
def url() -> str:
    """Address of plotly.js on this server, from the root, with its version; the file is there when this returns."""
    import streamlit as st

    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return "/".join(["", *([base] if base else []), "app", "static", f"{NAME}?v={ensure()}"])
