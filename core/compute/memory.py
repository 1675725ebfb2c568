"""Recognises errors of any library that mean that memory ran out."""

from __future__ import annotations

import errno
import sys
from typing import Literal

Place = Literal["GPU", "computer"]
# Phrases in messages of torch's RuntimeError: for the CPU, for memory of CUDA's own libraries, and for MPS.
_CPU = ("can't allocate memory", "not enough memory", "cannot allocate memory", "bad_alloc")
_GPU = ("out of memory", "alloc_failed")
_GPU_NAMES = ("cuda", "cudnn", "cublas", "hip", "mps")


def ran_out(error: BaseException | None) -> Place | None:
    """Which memory ran out, if ``error`` says that one did; None for every other error."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.cuda.OutOfMemoryError):
        return "GPU"
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "computer"
    if isinstance(error, RuntimeError):
        message = str(error).lower()
        if any(name in message for name in _GPU_NAMES) and any(sign in message for sign in _GPU):
            return "GPU"
        if any(sign in message for sign in _CPU):
            return "computer"
    return None
