"""The unit tests of our JavaScript (``js/*.test.mjs``), by node's own runner."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.dashboard.javascript import node

FILES = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_unit_tests_in_node_pass(file: Path) -> None:
    done = subprocess.run(
        [node(), "--test", "--test-reporter=tap", str(file)], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stdout + done.stderr
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed, done.stdout
    assert int(passed[1]) == len(re.findall(r"^test\(", file.read_text(), re.MULTILINE)) > 0, "some were not run"
