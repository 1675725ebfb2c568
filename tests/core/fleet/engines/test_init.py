"""Engines by name, and what can be asked of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.errors import BadInput
from core.fleet.engines import ADDRESS, ENGINES, engine, usual_workers
from core.jobs.spawn import ROOT


def test_the_usual_number_is_half_of_the_cores() -> None:
    assert [usual_workers(available) for available in (1, 2, 8, 9)] == [1, 1, 4, 4]
    assert engine("local").workers == usual_workers()


@pytest.mark.parametrize(
    ("name", "workers", "address", "code", "says"),
    [
        ("dusk", 1, "", "fleet_engine", "local, dask"),
        ("ray", 1, "", "fleet_engine", "local, dask"),
        ("local", 0, "", "fleet_workers", "0"),
        ("local", -3, "", "fleet_workers", "-3"),
        ("dask", 1025, "", "fleet_workers", "1024"),
        ("local", 1, "tcp://there:8786", "fleet_engine_address", "--engine dask"),
    ],
)
def test_what_cannot_be_used_is_told(name: str, workers: int, address: str, code: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        engine(name, workers, address)
    assert caught.value.code == code
    assert says in caught.value.message
    assert "install" not in caught.value.message


def test_an_address_in_the_environment_is_for_engines_that_have_one() -> None:
    assert engine("local", 1, environment={ADDRESS: "tcp://there:8786"}).name == "local"


def test_without_its_library_an_engine_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadInput, match=r"pip install --group cluster$") as caught:
        engine("dask")
    assert caught.value.code == "fleet_engine_missing"


def test_the_list_of_engines_is_light() -> None:
    script = "import sys, core.fleet.engines; print(*{'torch', 'distributed', 'dask'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert next(iter(ENGINES)) == "local", "the default stands first"
