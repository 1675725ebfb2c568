"""How much memory this process may still take: what is free on the computer, or in its container if that is less.

A container, a batch system or a service manager limits the memory of a group of processes by control groups of Linux
(documentation of the kernel: admin-guide, cgroup-v2 and cgroup-v1/memory). A process that goes beyond is ended without
an error, while the computer may have much memory free.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

GROUPS = Path("/proc/self/cgroup")  # the groups of this process, one a line: number, controllers and path, with colons
MOUNTED = Path("/sys/fs/cgroup")
# by version: the folder of the memory's groups, the files of limit and use, and the entry of memory.stat with what is
# cached of files and is given up before the limit is reached, bytes
_FILES = {
    2: ("", "memory.max", "memory.current", "inactive_file"),
    1: ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory(groups: Path = GROUPS, mounted: Path = MOUNTED) -> int:
    """Bytes.

    Args:
        groups, mounted: where the system tells of control groups; without them the computer's free memory counts alone.
    """
    return max(0, min([psutil.virtual_memory().available, *_left(groups, mounted)]))


def _left(groups: Path, mounted: Path) -> Iterator[int]:
    """What is left in each group that limits this process: its own, and those around it."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number != "0" and "memory" not in controllers.split(","):
            continue
        folder, limit, used, cached = _FILES[2 if number == "0" else 1]
        own = Path(path.lstrip("/"))
        for group in (mounted / folder / one for one in (own, *own.parents)):
            try:
                free = int((group / limit).read_text()) - int((group / used).read_text())  # "max": no limit
                stat = dict(entry.split() for entry in (group / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):  # a group that is not seen from inside a container
                continue
            yield free + int(stat.get(cached, 0))
