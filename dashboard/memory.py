"""Keeps what stays for the life of the server out of the garbage collector's way.

Streamlit collects garbage after every run of a script, a poll included (``ScriptRunner``: ``gc.collect(2)``). The
collector walks through all objects there are, and most of them belong to imported modules and never go.
"""

from __future__ import annotations

import gc
import sys

_modules = 0  # that were loaded when objects were last set apart


def set_apart() -> None:
    """Sets the objects that are alive apart from those that are looked through for garbage, once more whenever modules
    have been imported since. What is garbage by then is collected before, of what was apart as well.

    It holds for the whole process. A page that ends early, by a rerun, does without.
    """
    global _modules
    if len(sys.modules) == _modules:
        return
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    _modules = len(sys.modules)
