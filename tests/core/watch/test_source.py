from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core import paths
from core.data import load as load_images
from core.data.budget import clean_budget
from core.data.imageset import as_float
from core.errors import BadInput
from core.runs import file_hashes, record
from core.runs.record import Run
from core.victims import card_of, load_victim
from core.watch.guard import Guard
from core.watch.inbox import Inbox
from core.watch.place import profile_path
from core.watch.source import load, profile_of, scan_order, source_of
from core.watch.watcher import Watcher
from tests.core.models.onnx.graphs import small, written
from tests.core.watch.conftest import finished
from tests.core.whole_runs import SPEC


def test_the_purified_model_is_watched_if_it_was_handed_out(run: Run) -> None:
    source = source_of(run)
    assert source.which == "purified"
    assert source.file == run.folder / "model.safetensors"
    assert source.recorded == file_hashes.of_file(source.file)
    assert source.second == paths.VICTIMS / "digits-badnets.safetensors"
    assert source_of(run, "victim").file == source.second


def test_else_the_victim_is_and_a_purified_one_cannot_be_wished_for() -> None:
    run = record.open("digits-blended")
    source = source_of(run)
    assert (source.which, source.second) == ("victim", None)
    assert source.recorded == file_hashes.of_file(source.file)
    with pytest.raises(BadInput) as error:
        source_of(run, "purified")
    assert error.value.code == "nothing_purified"


def test_a_run_that_is_not_done_is_not_watched(tmp_path: Path) -> None:
    waiting = record.create(SPEC, root=tmp_path)
    with pytest.raises(BadInput, match="queued") as error:
        source_of(waiting)
    assert error.value.code == "run_not_done"


def test_models_and_clean_images_are_those_of_the_run(run: Run) -> None:
    loaded = load(source_of(run))
    weights = loaded.watched.model.net.state_dict()
    assert loaded.watched.second is not None
    victim = loaded.watched.second.net.state_dict()
    assert any(not torch.equal(value, victim[name]) for name, value in weights.items())
    images = load_images("digits")
    chosen = clean_budget(images.y_train, run.spec.clean_budget, 10, run.spec.seed)
    assert torch.equal(loaded.images, images.x_train[chosen])


def test_a_profile_is_made_once_and_anew_when_it_is_damaged(run: Run) -> None:
    source = source_of(run)
    loaded = load(source)
    sha256 = file_hashes.of_file(source.file)
    made = profile_of(source, loaded, sha256)
    path = profile_path(run, "purified", sha256)
    assert (made.model_sha256, made.which) == (sha256, "purified")
    assert profile_of(source, loaded, sha256).made == made.made
    path.write_bytes(b"{")
    again = profile_of(source, loaded, sha256)
    assert again.threshold == made.threshold
    assert path.read_bytes() != b"{"


def test_a_scan_of_the_file_is_told_network_and_scaling(run: Run) -> None:
    order = scan_order(source_of(run))
    order.validate()
    assert order.scan_only
    assert order.weights == str(run.folder / "model.safetensors")
    assert (order.arch, order.normalize) == ("small", "0.3,0.3,0.3/0.35,0.35,0.35")


def test_the_models_of_an_onnx_run_are_the_graphs_that_it_read_and_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = {name: load_victim(name) for name in ("digits-badnets", "digits-blended")}
    run = finished(tmp_path, monkeypatch)
    (run.folder / "model.safetensors").unlink()
    theirs, ours = tmp_path / "theirs.onnx", run.folder / "model.onnx"
    for path, victim in zip((theirs, ours), nets.values(), strict=True):
        written(small(victim.net, shape=(1, 3, 16, 16)), path)  # type: ignore[arg-type]
    card = card_of("digits-badnets")
    scaling = "/".join(",".join(map(str, part)) for part in (card.mean, card.std))
    spec = run.data["spec"] | {"victim": None, "weights": str(theirs)}
    result = run.data["result"] | {"arch": "onnx", "normalize": scaling}
    run.update(spec=spec, result=result, outputs={ours.name: file_hashes.of_file(ours)})
    source = source_of(run)
    assert (source.which, source.file, source.second) == ("purified", ours, theirs)
    loaded = load(source)
    scan = scan_order(source)
    scan.validate()
    assert (scan.arch, scan.normalize) == ("onnx", scaling)
    assert loaded.watched.second is not None
    for model, victim in zip((loaded.watched.second, loaded.watched.model), nets.values(), strict=True):
        victim.precision = model.precision = torch.float32
        with torch.inference_mode():
            torch.testing.assert_close(model(as_float(loaded.images)), victim.eval()(as_float(loaded.images)))


def test_what_arrives_is_read_with_the_depth_of_the_runs_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clean pictures of 12 bits in 16: a dark one in the inbox stays as dark as it was taken."""
    images = load_images("digits")
    for at, (image, label) in enumerate(zip(images.x_train[:300], images.y_train[:300], strict=True)):
        grey = (image[0].numpy().astype(np.uint16) << 4).clip(0, 4095)
        path = tmp_path / "own" / str(int(label)) / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey).save(path)
    run = finished(tmp_path, monkeypatch)
    run.update(spec=run.data["spec"] | {"images": str(tmp_path / "own"), "clean_budget": 60})
    source = source_of(run)
    profile = profile_of(source, load(source), file_hashes.of_file(source.file))
    assert profile.bits == 12
    box = tmp_path / "inbox"
    box.mkdir()
    Image.fromarray(np.full((16, 16), 200, np.uint16)).save(box / "dark.png")
    inbox = Inbox(box)
    (arrival,) = inbox.arrivals()
    assert (inbox.read(arrival, profile.size, profile.bits) == 200 >> 4).all()
    assert (inbox.read(arrival, profile.size) == 200).all(), "alone it is taken for 8 bits"
    watched = load(source).watched
    watcher = Watcher(Guard(watched.model, profile, watched.second), inbox, tmp_path / "watch")
    watcher.look()
    (seen,) = watcher.past.recent
    assert seen["pictures"]["brightness"] == pytest.approx((200 >> 4) / 255, abs=1e-3)
    inbox.close()
