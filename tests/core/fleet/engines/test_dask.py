"""Runs on a real cluster of two nodes on this machine: a node that is killed loses nothing that was done."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

pytest.importorskip("distributed", reason="the engine dask needs the package distributed")

from distributed import Client

from core import paths
from core.cli import parser as cli
from core.errors import BadInput
from core.fleet import listing, make, place, seen
from core.fleet.engines import Asked, Engine, dask, node
from core.fleet.engines.cluster import Cluster
from core.fleet.engines.dask import Dask
from core.fleet.engines.local import Local
from core.fleet.place import Order, Standing
from core.jobs.spawn import ROOT
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from tests.core.fleet import made_up
from tests.core.fleet.conftest import fake, home
from tests.core.fleet.test_make import begun, wait_for

__all__ = ["fake", "home"]  # fixtures
pytestmark = pytest.mark.timeout(1200)  # nodes take a while to come up on a machine that is busy


@contextlib.contextmanager
def two_nodes(folder: Path, gpus: tuple[str, ...] = ()) -> Iterator[Cluster]:
    """Two nodes whose workers need no torch, and write a line to ``began`` in the folder when they begin; with a GPU
    one node, for two runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("FLEET_BEGAN", str(folder / "began"))
        patch.setenv("DISSOLVE_HOME", str(folder / "home of nodes"))
        patch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", "tests.core.fleet.engines.fake_node")
        cluster = Cluster(2, gpus)
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(len(cluster.nodes), timeout=240)
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """For tests that leave the nodes as they are."""
    with two_nodes(tmp_path_factory.mktemp("kept")) as cluster:
        yield cluster


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """An image set of the user's: two classes of four images."""
    from PIL import Image

    for number in range(8):
        file = tmp_path / "photos" / f"class-{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * number, np.uint8)).save(file)
    return tmp_path / "photos"


def work(models: Path, folder: Path, engine: Engine, images: Path, report: make.Report | None = None) -> Standing:
    order, entries = Order(str(models), str(images)), listing.read(models, str(images), [folder])
    hashes = seen.Hashes(folder / place.STAMPS)
    with place.opened(folder, order):
        return make.Fleet(folder, order, entries, engine, hashes, report or (lambda *step: None)).work()


def node_at(cluster: Cluster, name: str) -> subprocess.Popen[bytes]:
    """The node that has a worker with the log of that model's run open."""
    for one in cluster.nodes:
        for worker in psutil.Process(one.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # another one, that has just ended
                if any(f"-{name}-" in file.path for file in worker.open_files()):
                    return one
    raise LookupError(name)


def rows(standing: Standing) -> list[tuple[Any, ...]]:
    return [(row.file, row.verdict, row.target, row.risk, row.error) for row in standing.models]


def test_a_node_that_is_killed_loses_no_finished_model_and_the_other_does_the_rest(
    fake: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = made_up.models(tmp_path / "models", ("a hangs.pt", "none.pt", "some-2.pt", "strong-3.pt", "broken.pt"))
    (models / "a hangs.pt").write_text("hangs")
    sent: list[object] = []
    register = Client.register_plugin
    monkeypatch.setattr(Client, "register_plugin", lambda *given: (sent.append(given), register(*given))[1])
    killed: list[int] = []
    with two_nodes(tmp_path) as cluster:

        def kill(stage: str, done: int, total: int) -> None:
            if done == 2:
                wait_for(lambda: "hangs" in fake.read_text())
                node_at(cluster, "a-hangs").send_signal(signal.SIGKILL)
                killed.append(done)
                (tmp_path / "go").touch()

        standing = work(models, tmp_path / "fleet", Dask(Asked(address=cluster.address)), images, kill)
        assert [one.poll() for one in cluster.nodes].count(-signal.SIGKILL) == len(killed) == 1
    assert (standing.engine, standing.workers, len(sent)) == ("dask", 2, 1)
    lines = begun(fake)
    assert lines.count("scan a hangs.pt") == 2, "what the node was at is done again"
    assert [lines.count(f"scan {row.file}") for row in standing.models if row.file != "a hangs.pt"] == [1] * 4
    for row in standing.models:
        run = Run(tmp_path / "fleet" / "runs" / str(row.run))
        assert run.status == ("failed" if row.error else "done")
        assert (run.spec.weights, run.spec.images) == (str(models / row.file), str(images))
    shutil.rmtree(paths.cache_folder())
    assert rows(standing) == rows(work(models, tmp_path / "here", Local(1), images))


def test_a_cluster_that_loses_all_nodes_keeps_what_is_done(fake: Path, images: Path, tmp_path: Path) -> None:
    models = made_up.models(tmp_path / "models", ("a none.pt", "hangs.pt"))
    (models / "a none.pt").write_text("none")
    with two_nodes(tmp_path) as cluster:

        def kill(stage: str, done: int, total: int) -> None:
            wait_for(lambda: "hangs" in fake.read_text())
            for one in cluster.nodes:
                one.kill()

        engine = Dask(Asked(address=cluster.address), patience=0)
        with pytest.raises(BadInput) as caught:
            work(models, tmp_path / "fleet", engine, images, kill)
    assert caught.value.code == "fleet_engine_empty"
    assert cluster.address in caught.value.message
    standing = place.read_standing(tmp_path / "fleet")
    assert standing
    assert [(row.file, row.verdict) for row in standing.models] == [("a none.pt", "none"), ("hangs.pt", None)]
    begun(fake)
    (tmp_path / "go").touch()
    again = work(models, tmp_path / "fleet", Local(1), images)
    assert [row.verdict for row in again.models] == ["none", "none"]
    assert begun(fake) == ["scan hangs.pt"], "the same command goes on, with another engine too"


def test_runs_that_are_stopped_come_back_and_go_on_elsewhere(fake: Path, kept: Cluster, tmp_path: Path) -> None:
    models = made_up.models(tmp_path / "models", ("hangs.pt",))
    run = record.create(Spec(weights=str(models / "hangs.pt"), images="digits", scan_only=True, map=False))
    at = Dask(Asked(address=kept.address), clock=lambda: 0.0)  # it waits for the node as long as it takes
    at.start(run)
    assert not at.full
    wait_for(lambda: node_at_work(kept, "hangs"))
    with Client(kept.address, set_as_default=False) as other:
        other.run(node.stop, ["a run of another fleet"])
    assert node_at_work(kept, "hangs"), "a fleet stops its own runs alone"
    at.stop()
    assert (run.status, at.going) == ("stopped", [])
    assert run.data["worker"], "it came back from the node"
    (models / "go").touch()
    here = Local(1)
    here.start(run)
    wait_for(lambda: here.ended())
    assert run.status == "done"


def node_at_work(cluster: Cluster, name: str) -> bool:
    with contextlib.suppress(LookupError):
        return bool(node_at(cluster, name))
    return False


def states(dask_worker: Any) -> list[str]:
    """On a node: how its tasks stand."""
    return sorted(task.state for task in dask_worker.state.tasks.values())


def test_two_models_share_a_gpu_where_they_fit_and_one_that_needs_it_whole_has_it_alone(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a node whose GPU exists for a stand-in of the driver's tool alone."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 0, GPU-a, 4096\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    shares, planned_with = [0.5, 0.5, 1.0, 1.0], []

    def planned(memory: int) -> SimpleNamespace:
        planned_with.append(memory)
        return SimpleNamespace(of=lambda spec: shares.pop(0), close=lambda: None)

    monkeypatch.setattr(dask, "Shares", planned)
    weights = made_up.models(tmp_path / "models", ("hangs.pt",)) / "hangs.pt"
    with two_nodes(tmp_path, ("0",)) as cluster, Client(cluster.address, set_as_default=False) as client:
        at = Dask(Asked(address=cluster.address), clock=lambda: 0.0)  # it waits for the node as long as it takes
        for expected in (["executing", "executing"], ["constrained", "executing"]):
            for _ in range(2):
                at.start(record.create(Spec(weights=str(weights), images="digits", scan_only=True, map=False)))
            wait_for(lambda expected=expected: list(client.run(states).values()) == [expected])  # type: ignore[misc]
            (tmp_path / "go").touch()
            wait_for(lambda: at.ended() is None or not at.going)
            (tmp_path / "go").unlink()
        at.close()
    assert planned_with == [4096 * 2**20]


def test_a_node_without_the_images_is_named(
    home: Path, kept: Cluster, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, "register_plugin", lambda *given: None)
    with pytest.raises(BadInput, match=r"node tcp://127\.0\.0\.1:\d+ has not got the images photos") as caught:
        work(made_up.models(tmp_path / "models"), tmp_path / "fleet", Dask(Asked(address=kept.address)), images)
    assert caught.value.code == "fleet_node_images"


def test_a_node_with_other_versions_is_refused(kept: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = node.versions() | {"torch": "1.0"}
    monkeypatch.setattr(node, "versions", lambda: ours)
    with pytest.raises(BadInput, match=r"has torch \S+ where this machine has 1\.0") as caught:
        dask.begin(Asked(address=kept.address))
    assert caught.value.code == "fleet_node_versions"


@pytest.mark.parametrize("address", ["moon://there", "?"])
def test_an_address_that_is_none_is_one_sentence(
    fake: Path, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["fleet", str(made_up.models(tmp_path / "models")), "--images", "digits", "--out", str(tmp_path / "fleet")]
    assert cli.main([*given, "--engine", "dask", "--engine-address", address]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert f"The cluster at {address} does not answer" in err
    assert not (tmp_path / "fleet").exists()


def test_a_real_model_is_found_to_be_what_it_is_on_this_machine(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copyfile(paths.VICTIMS / "digits-badnets.safetensors", models / "digits-badnets.safetensors")
    found = {}
    for engine in ("dask", "local"):
        given = ["fleet", str(models), "--images", "digits", "--out", str(tmp_path / engine), "--workers", "1"]
        assert cli.main([*given, "--engine", engine, "--json"]) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert told["engine"] == engine
        found[engine] = [(row["file"], row["verdict"], row["target"], row["risk"]) for row in told["models"]]
        shutil.rmtree(paths.cache_folder())
    assert found["dask"] == found["local"]
    assert [verdict for _, verdict, _, _ in found["dask"]] == ["strong"]
