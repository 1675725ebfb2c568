from __future__ import annotations

import errno
import platform
import subprocess
import sys

import pytest
import torch

from core.compute.memory import ran_out
from core.errors import BadInput


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), "GPU"),
        (RuntimeError("CUDA error: out of memory"), "GPU"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "GPU"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GB)."), "GPU"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: 9"), "computer"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), "computer"),
        (RuntimeError("std::bad_alloc"), "computer"),
        (MemoryError(), "computer"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "computer"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)"), None),
        (RuntimeError("CUDA error: device-side assert triggered"), None),
        (OSError(errno.ENOSPC, "No space left on device"), None),
        (BadInput("weights_too_large", "CUDA out of memory"), None),
        (None, None),
    ],
)
def test_memory_that_ran_out_is_known_by_what_libraries_say(error: BaseException | None, place: str | None) -> None:
    assert ran_out(error) == place


def test_torch_says_it_as_we_expect() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out(raised.value) == "computer"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the option of glibc")
def test_kept_memory_is_not_fetched_again_page_by_page() -> None:
    """Counted by the system, in a process of its own."""
    program = """
from resource import RUSAGE_SELF, getrusage
from core.compute.memory import keep_freed
def faults():
    b"x" * (64 << 20)
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(4):
        b"x" * (64 << 20)
    return getrusage(RUSAGE_SELF).ru_minflt - before
print(faults(), keep_freed(), faults())
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    before, kept, after = told.split()
    assert kept == "True"
    assert int(after) < 0.1 * int(before)
