"""What a run was taken on."""

from __future__ import annotations

from pathlib import Path

from core.runs import machine


def test_the_machine_and_the_versions_are_described() -> None:
    facts = machine.describe()
    assert facts["cpu"]
    assert facts["cores"] >= 1
    assert facts["memory_gb"] > 0
    assert {"dissolve", "python", "torch", "numpy"} <= machine.versions().keys()


def test_the_commit_is_read_from_a_branch_a_detached_head_packed_refs_or_a_linked_tree(tmp_path: Path) -> None:
    git = tmp_path / "main" / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert machine.git_commit(tmp_path / "main") is None  # no commit yet
    (git / "packed-refs").write_text("# pack-refs with: peeled\n1111 refs/heads/main\n2222 refs/heads/side\n")
    assert machine.git_commit(tmp_path / "main") == "1111"
    (git / "refs" / "heads" / "main").write_text("3333\n")
    assert machine.git_commit(tmp_path / "main") == "3333"
    linked = git / "worktrees" / "side"
    linked.mkdir(parents=True)
    (linked / "HEAD").write_text("ref: refs/heads/side\n")
    (linked / "commondir").write_text("../..\n")
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / ".git").write_text(f"gitdir: {linked}\n")
    assert machine.git_commit(tmp_path / "side") == "2222"
    (git / "HEAD").write_text("4444\n")
    assert machine.git_commit(tmp_path / "main") == "4444"


def test_no_repository_is_no_commit(tmp_path: Path) -> None:
    assert machine.git_commit(tmp_path) is None
