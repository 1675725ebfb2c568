from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from core.compute.free_memory import free_memory

MB = 2**20


def group(folder: Path, limit: str, used: int, cached: int = 0, version: int = 2) -> None:
    """What the kernel tells of a control group."""
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, (limit, str(used)), strict=True):
        (folder / name).write_text(f"{value}\n")
    entry = "inactive_file" if version == 2 else "total_inactive_file"
    (folder / "memory.stat").write_text(f"anon 5\n{entry} {cached}\nactive_file 7\n")


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def test_a_container_with_less_counts(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/\n")
    group(tmp_path / "mounted", str(30 * MB), 10 * MB)
    assert free_memory(groups, tmp_path / "mounted") == 20 * MB


def test_what_is_cached_of_files_is_given_up(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/\n")
    group(tmp_path / "mounted", str(30 * MB), 10 * MB, cached=6 * MB)
    assert free_memory(groups, tmp_path / "mounted") == 26 * MB


def test_the_narrowest_of_the_groups_around_it_counts(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/user/job\n")
    group(tmp_path / "mounted" / "user" / "job", "max", 2 * MB)
    group(tmp_path / "mounted" / "user", str(9 * MB), 5 * MB)
    assert free_memory(groups, tmp_path / "mounted") == 4 * MB


@pytest.mark.parametrize("path", ["/", "/docker/0123"])  # of a container with a view of its own, and without one
def test_control_groups_of_the_first_version(tmp_path: Path, groups: Path, path: str) -> None:
    groups.write_text(f"12:cpu,cpuacct:{path}\n5:memory:{path}\n1:name=systemd:{path}\n0::{path}\n")
    group(tmp_path / "mounted" / "memory", str(30 * MB), 25 * MB, cached=MB, version=1)
    assert free_memory(groups, tmp_path / "mounted") == 6 * MB


def test_a_group_that_is_over_its_limit_leaves_nothing(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/\n")
    group(tmp_path / "mounted", str(MB), 2 * MB)
    assert free_memory(groups, tmp_path / "mounted") == 0


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096)])
def test_without_a_limit_the_computers_free_memory_counts(tmp_path: Path, groups: Path, limit: str) -> None:
    groups.write_text("0::/\n")
    group(tmp_path / "mounted", limit, 10 * MB)
    assert 0 < free_memory(groups, tmp_path / "mounted") <= psutil.virtual_memory().total


def test_another_system_has_no_control_groups(tmp_path: Path) -> None:
    assert 0 < free_memory(tmp_path / "none", tmp_path) <= psutil.virtual_memory().total
