from __future__ import annotations

from pathlib import Path

import pytest

from core.report import Wording, gather
from core.report.particulars import particulars
from core.runs.spec import Spec
from core.words import Words
from tests.core.report.conftest import Part, story


def test_particulars_name_method_files_machine_and_commit(part: Part) -> None:
    run, _ = part()
    (run.folder / "model.safetensors").write_bytes(b"purified")
    text = particulars(Wording(gather(run), Words("en")))
    for fact in (
        "MCL, recommended, 70 steps", "seed 0, map UMAP", "600 of the training images", "Measure 1 s", "Scan 1 min 4 s",
        "ab" * 32, "model.safetensors", "Test CPU, cores: 2, 8.0 GB", "torch 2.15.0", "commit c0ffeec0ffee",
    ):  # fmt: skip
        assert fact in text, fact
    run.update(precision="bfloat16")
    assert "Test CPU (bfloat16), cores: 2" in particulars(Wording(gather(run), Words("en")))


def test_changed_settings_and_other_defences_are_told(part: Part) -> None:
    spec = Spec(victim="signs-badnets", images="signs", defence="ft", settings={"epochs": 3}, map=False)
    text = particulars(part(spec=spec)[1])
    assert "Fine-tuning" in text
    assert "epochs = 3" in text
    assert "map none" in text


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"events": story(held=False)}, "no purified weights were handed out"),
        ({"recording": True}, "do not ship with this recording"),
        ({"spec": Spec(weights="gone.pth", images="signs")}, "its hash was not recorded"),
    ],
)
def test_files_that_are_not_there_are_accounted_for(part: Part, how: dict, says: str) -> None:
    assert says in particulars(part(**how)[1])


def test_no_hash_of_today_stands_for_one_that_was_not_noted(part: Part, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"weights")
    text = particulars(part(spec=Spec(weights=str(tmp_path / "a.pth"), images="signs"))[1])
    assert "its hash was not recorded" in text
    assert "SHA-256" not in text
    assert str(tmp_path) not in text
