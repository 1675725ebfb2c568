"""The error users read, and what importing the engine must not pull in."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import BadInput

ROOT = Path(__file__).parents[2]


def test_a_bad_input_has_code_sentence_and_facts() -> None:
    error = BadInput("too_small", "The budget 3 is too small.", budget=3, least=10)
    assert isinstance(error, ValueError)
    assert str(error) == error.message == "The budget 3 is too small."
    assert error.code == "too_small"
    assert json.loads(json.dumps(error.facts)) == {"budget": 3, "least": 10}
    with pytest.raises(TypeError):
        BadInput("a", "b", "c")  # type: ignore[call-arg]


def test_control_characters_become_escapes() -> None:
    error = BadInput("odd", "a\x1b[2J\nb\ud800\u202e c\u3000猫", name="x\ny", count=3)
    assert error.message == str(error) == "a\\x1b[2J\\nb\\ud800\\u202e c\u3000猫"
    assert error.facts == {"name": "x\\ny", "count": 3}


def python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_module_of_the_engine_knows_the_dashboard() -> None:
    """All are imported with Streamlit, Plotly and the dashboard out of reach, even inside a try."""
    script = """
import importlib, pkgutil, sys
for name in ("streamlit", "plotly", "dashboard"):
    sys.modules[name] = None
import core
count = 0
for module in pkgutil.walk_packages(core.__path__, "core."):
    if module.name != "core.__main__":
        importlib.import_module(module.name)
        count += 1
assert not [name for name in sys.modules if name.startswith(("streamlit.", "plotly.", "dashboard."))]
print(count)
"""
    assert int(python(script)) > 40


@pytest.mark.parametrize(
    "modules",
    [
        "core.events, core.errors, core.paths",
        "core.runs.record, core.runs.supervisor, core.runs.spec, core.engine.worker",
        "core.data, core.victims, core.engine.starting_map, core.cli.parser",
        "core.attacks, core.defenses, core.models, core.featuremap, core.watch, core.dataroom, core.suspicion",
    ],
)
def test_what_the_first_page_needs_is_light(modules: str) -> None:
    heavy = ("torch", "torchvision", "umap", "numba", "sklearn", "scipy", "safetensors")
    script = f"import {modules}; import sys; print(*[name for name in {heavy!r} if name in sys.modules])"
    assert python(script).split() == []


def rooms() -> dict[str, set[str]]:
    """Which rooms of ``core`` each room imports at run time; a module on the floor is a room of its own."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "core").rglob("*.py"):
        me = path.relative_to(ROOT / "core").parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        types = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        needed = [name for node in ast.walk(tree) if id(node) not in types for name in imported(node)]
        found.setdefault(me, set()).update(name.split(".")[1] for name in needed if name.startswith("core."))
        found[me] -= {me}
    return found


def imported(node: ast.AST) -> list[str]:
    """What an import names, with its package."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"core.{alias.name}" for alias in node.names] if node.module == "core" else [str(node.module)]
    return []


def test_each_room_of_the_engine_needs_only_rooms_that_stand_before_it() -> None:
    """As CONTRIBUTING has the order; the package itself and the way in stand above all rooms."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    order = text.partition("Imports point one way.")[2].split("```")[1].split()
    needs = {room: needed - {"__version__"} for room, needed in rooms().items() if not room.startswith("__")}
    assert sorted(order) == sorted(needs)
    upward = {room: needed - set(order[: order.index(room)]) for room, needed in needs.items()}
    assert {room: needed for room, needed in upward.items() if needed} == {}


def test_cards_and_recordings_are_listed_without_torch() -> None:
    script = """
import sys
from core.runs import record
from core.victims import list_victims
assert list_victims()
record.list_runs()
print("torch" in sys.modules)
"""
    assert python(script).strip() == "False"
