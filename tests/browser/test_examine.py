"""A stranger's model, by the browser: drop the files, see what they are, start, read the verdict, take the weights."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect
from safetensors.torch import load_file

from core.data import load
from core.models.weights import read_weights
from core.runs.record import open as open_run
from core.victims import card_of
from tests.browser.conftest import DIGITS
from tests.browser.visit import RUN_PATIENCE, run_in_address, settled, wait_for_status, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
VICTIM = card_of(DIGITS)
TRAIN, TEST = 8, 20  # images of each class: enough for a cure that is accepted


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint as people keep them, and a few digits of each class as class folders in a .zip."""
    state = {f"module.{name}": value for name, value in read_weights(VICTIM.weights).tensors.items()}
    checkpoint = {"net": state, "epoch": 12, "optimizer": {"state": {0: torch.ones(3)}, "param_groups": []}}
    torch.save(checkpoint, tmp_path / "downloaded.pth")
    digits = load("digits")
    with zipfile.ZipFile(tmp_path / "digits.zip", "w") as out:
        for part, x, y, few in (
            ("train", digits.x_train, digits.y_train, TRAIN),
            ("test", digits.x_test, digits.y_test, TEST),
        ):
            for label in range(digits.num_classes):
                for place, image in enumerate(x[y == label][:few]):
                    picture = io.BytesIO()
                    Image.fromarray(image.permute(1, 2, 0).numpy()).save(picture, "png")
                    out.writestr(f"digits/{part}/{label}/{place}.png", picture.getvalue())
    return tmp_path / "downloaded.pth", tmp_path / "digits.zip"


def test_from_a_strangers_files_to_the_purified_weights(page: Page, given: tuple[Path, Path], tmp_path: Path) -> None:
    page.goto("/examine")
    look = page.get_by_role("button", name=words("give.look"))
    expect(look).to_be_disabled()
    for kind, file in zip(("weights", "images"), given, strict=True):
        box = page.locator(f".st-key-give-{kind}")
        box.locator("input[type=file]").set_input_files(file)
        expect(box.get_by_text(file.name)).to_be_visible()
        # a file that is given while the page is being drawn anew is lost; the field shows the name before that begins
        expect(box.get_by_role("button", name=words("give.other"))).to_be_visible()
        settled(page)
    expect(look).to_be_enabled()
    look.click()

    start = page.get_by_role("button", name=words("order.start"))
    expect(start).to_be_visible(timeout=RUN_PATIENCE)
    settled(page)
    expect(page.locator(".dz-found")).to_contain_text("small")
    expect(page.locator(".dz-list")).to_contain_text("net")
    expect(page.locator(".dz-tried tr.chosen")).to_have_count(1)
    expect(page.locator(".dz-classes img")).to_have_count(10)
    page.reload()
    expect(start).to_be_visible()
    settled(page)
    start.click()

    page.wait_for_url("**run=*")
    run_id = run_in_address(page)
    assert run_id is not None
    wait_for_status(page, "done")
    expect(page.get_by_text(words("verdict.strong")).first).to_be_visible()
    expect(page.get_by_text(words("limits.title"))).to_be_visible()
    expect(page.get_by_text(re.compile("estimated")).first).to_be_visible()
    result = open_run(run_id).data["result"]
    assert result["target"] == VICTIM.target
    assert result["asr_kind"] == "estimated"
    assert result["asr_after"] < 10

    with page.expect_download() as safetensors:
        page.get_by_role("button", name=words("take.safetensors")).click()
    safetensors.value.save_as(tmp_path / "out.safetensors")
    purified, original = load_file(tmp_path / "out.safetensors"), torch.load(given[0], weights_only=True)["net"]
    assert {name: value.shape for name, value in purified.items()} == {n: v.shape for n, v in original.items()}
    assert any(not torch.equal(purified[name], original[name]) for name in purified)
    with page.expect_download() as card:
        page.get_by_role("button", name=words("take.card")).click()
    assert json.loads(Path(card.value.path()).read_text())["input"]["file"].startswith("downloaded")
