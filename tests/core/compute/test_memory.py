from __future__ import annotations

import errno

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
