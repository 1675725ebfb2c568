"""A run is bound to the files it was made from, and to those it handed out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadInput
from core.runs import hashes, record
from core.runs.record import Run
from core.runs.spec import Spec


@pytest.fixture
def own(spec: Spec, tmp_path: Path) -> Spec:
    """A stranger's weights, a folder of two classes, and a class of one's own."""
    (tmp_path / "net.py").write_text("class Net: ...")
    (tmp_path / "w.pth").write_bytes(b"weights")
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "photos" / name / f"{number}.png").write_bytes(f"{name}{number}".encode())
    return replace(
        spec, victim=None, weights=str(tmp_path / "w.pth"), images=str(tmp_path / "photos"),
        model_class=f"{tmp_path / 'net.py'}:Net",
    )  # fmt: skip


@pytest.fixture
def bound(own: Spec) -> Run:
    """A run that has noted what it was made from."""
    run = record.create(own)
    run.update(inputs=hashes.bind(run).hashes, status="stopped")
    return run


def code_of(act: Callable[[Run], object], run: Run) -> str | None:
    try:
        act(run)
    except BadInput as fault:
        return fault.code
    return None


CHANGES = [
    ("w.pth", "weights_changed"),
    ("photos/dog/1.png", "images_changed"),
    ("net.py", "model_class_changed"),
]


def test_each_of_the_users_files_has_a_hash(bound: Run) -> None:
    noted = bound.data["inputs"]
    assert noted["weights"] == hashlib.sha256(b"weights").hexdigest()
    assert noted["model_class"] == hashlib.sha256(b"class Net: ...").hexdigest()
    assert set(noted) == {"weights", "images", "model_class"}


def test_what_is_shipped_needs_none(spec: Spec) -> None:
    assert hashes.bind(record.create(spec)).hashes == {}


@pytest.mark.parametrize("check", [hashes.bind, hashes.check, hashes.check_report])
@pytest.mark.parametrize(("file", "code"), CHANGES)
def test_another_file_in_its_place_is_noticed(
    bound: Run, tmp_path: Path, check: Callable[[Run], object], file: str, code: str
) -> None:
    assert code_of(check, bound) is None
    (tmp_path / file).write_bytes(b"another")
    assert code_of(check, bound) == code


def test_the_same_file_written_again_is_the_same(bound: Run, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"weights")
    os.utime(tmp_path / "photos" / "cat" / "0.png", (1, 1))
    assert code_of(hashes.check, bound) is None


def test_a_file_that_is_gone_ends_a_resume_and_no_report(bound: Run, tmp_path: Path) -> None:
    (tmp_path / "w.pth").unlink()
    assert code_of(hashes.check, bound) == "input_gone"
    assert code_of(hashes.check_report, bound) is None
    assert code_of(hashes.bind, bound) is None, "its reader says that better"


def test_images_that_are_no_set_any_more_have_changed(bound: Run, tmp_path: Path) -> None:
    for file in (tmp_path / "photos" / "cat").iterdir():
        file.unlink()
    assert code_of(hashes.check, bound) == "images_changed"


def test_an_older_record_is_bound_to_nothing(own: Spec, tmp_path: Path) -> None:
    run = record.create(own)
    (tmp_path / "w.pth").write_bytes(b"another")
    assert code_of(hashes.check, run) is None
    assert code_of(hashes.check_report, run) is None
    assert code_of(hashes.bind, run) is None


def test_a_file_that_changes_while_it_is_read_is_noticed(own: Spec, tmp_path: Path) -> None:
    taken = hashes.bind(record.create(own))
    taken.require_same()
    (tmp_path / "photos" / "dog" / "0.png").write_bytes(b"a longer one")
    with pytest.raises(BadInput) as fault:
        taken.require_same()
    assert fault.value.code == "changed_while_read"
    assert fault.value.facts["path"].endswith("dog/0.png")


def test_a_comparison_is_made_from_one_model(bound: Run, own: Spec, tmp_path: Path) -> None:
    bound.update(group="g")
    other = record.create(own)
    other.update(group="g")
    assert code_of(hashes.bind, other) is None
    (tmp_path / "w.pth").write_bytes(b"another")
    assert code_of(hashes.bind, other) == "weights_changed"
    other.update(group="another")
    assert code_of(hashes.bind, other) is None


def test_a_victim_that_is_shipped_anew_is_not_the_runs(spec: Spec) -> None:
    run = record.create(spec)
    run.update(victim_sha256="")  # of the card
    assert code_of(hashes.check, run) is None
    run.update(victim_sha256="ab" * 32)
    assert code_of(hashes.check, run) == "weights_changed"
    assert code_of(hashes.check_report, run) is None


@pytest.mark.parametrize("where", ["record", "card"])
def test_a_result_that_was_swapped_is_noticed(bound: Run, where: str) -> None:
    file = bound.folder / "model.safetensors"
    file.write_bytes(b"purified")
    noted = hashlib.sha256(b"purified").hexdigest()
    if where == "record":
        bound.update(outputs={"model.safetensors": noted})
    else:
        card = {"output": {"model.safetensors": {"sha256": noted}}}
        (bound.folder / "card.json").write_text(json.dumps(card))
    assert hashes.outputs(bound) == {"model.safetensors": noted}
    assert hashes.result_fault(bound) is None
    file.write_bytes(b"swapped!")
    fault = hashes.result_fault(bound)
    assert fault is not None
    assert fault.facts["sha256"] == noted[:12]
    for check in (hashes.check, hashes.check_report):
        assert code_of(check, bound) == "result_changed"
    file.unlink()
    assert hashes.result_fault(bound) is None


def test_the_result_may_take_the_place_of_the_model(bound: Run, tmp_path: Path) -> None:
    bound.update(outputs={"model.pt": hashlib.sha256(b"purified").hexdigest()})
    (tmp_path / "w.pth").write_bytes(b"purified")
    assert code_of(hashes.check_report, bound) is None
    assert code_of(hashes.check, bound) == "weights_changed"


def test_a_card_that_is_damaged_notes_nothing(bound: Run) -> None:
    (bound.folder / "model.safetensors").write_bytes(b"purified")
    for text in ("{", "[]", '{"output": 1}', '{"output": {"model.safetensors": 1}}'):
        (bound.folder / "card.json").write_text(text)
        assert hashes.outputs(bound) == {}
