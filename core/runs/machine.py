"""What a run's figures were taken on: machine, versions, commit. Knows the GPU only once torch is loaded."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

import core

PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "umap-learn")


def describe() -> dict[str, Any]:
    """CPU model, cores this process may use, memory in GB and platform; the GPU's name and memory if there is one."""
    facts: dict[str, Any] = {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "platform": platform.platform(),
    }
    return facts | gpu()


def gpu() -> dict[str, Any]:
    """``{"gpu", "gpu_memory_gb"}`` of the first CUDA device; empty without one, or as long as nobody imported torch."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    properties = torch.cuda.get_device_properties(0)
    return {"gpu": properties.name, "gpu_memory_gb": round(properties.total_memory / 2**30, 1)}


def versions() -> dict[str, str]:
    """Versions of Dissolve, Python and the packages that figures depend on, without importing them."""
    found = {"dissolve": core.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(root: Path | None = None) -> str | None:
    """The commit of the working copy at ``root`` (this project's own by default), read without git; None if none."""
    try:
        git = (root or Path(__file__).resolve().parents[2]) / ".git"
        if git.is_file():  # a linked working tree
            git = (git.parent / git.read_text().split("gitdir:", 1)[1].strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        reference = head.split(":", 1)[1].strip()
        pointer = git / "commondir"
        common = (git / pointer.read_text().strip()).resolve() if pointer.exists() else git
        if (common / reference).exists():
            return (common / reference).read_text().strip()
        for line in (common / "packed-refs").read_text().splitlines():
            if line.endswith(f" {reference}"):
                return line.split()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        pass
    return None


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(psutil.Process(), "cpu_affinity", None)
    return len(affinity()) if affinity else psutil.cpu_count() or 1


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
