"""Recognises errors of any library that mean that memory ran out; keeps freed memory for the next pass."""

from __future__ import annotations

import ctypes
import errno
import sys
from typing import Literal

Place = Literal["GPU", "computer"]
# Phrases in messages of torch's RuntimeError: for the CPU, for memory of CUDA's own libraries, and for MPS.
_CPU = ("can't allocate memory", "not enough memory", "cannot allocate memory", "bad_alloc")
_GPU = ("out of memory", "alloc_failed")
_GPU_NAMES = ("cuda", "cudnn", "cublas", "hip", "mps")

# Options of glibc's mallopt, and from how many freed bytes on memory goes back to the system.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
KEPT_BYTES, KEPT_BLOCK_BYTES = 512 << 20, 256 << 20


def keep_freed() -> bool:
    """From now on, memory that this process frees stays with it for the next tensors, up to ``KEPT_BYTES``.

    By default glibc gives large blocks back at once, and the next pass through a network gets each page anew from the
    system. On large images that takes a fifth of the time.

    Returns:
        whether the C library can do so; other ones are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, KEPT_BLOCK_BYTES) and mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


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
