"""Where a victim and a purified model look: on the trigger, and not; chosen without a look at the outcome."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from core.engine import looks
from core.engine.looks import CANDIDATES, look
from core.models.attribution import attribution
from core.models.evaluate import answers
from core.runs import record
from core.runs.arrays import Looks
from core.runs.spec import Spec
from tests.core.tiny import Tiny, honest_twin
from tests.core.whole_runs import Done


@pytest.fixture(scope="module")
def seen(tiny: Tiny) -> Looks:
    """Of the victim, and of a network that never saw the trigger in its place."""
    found = look([tiny.model, honest_twin()], tiny.images, tiny.trigger, tiny.target, real=True)
    assert found is not None
    return found


def test_the_victim_looks_at_the_trigger_and_an_honest_network_does_not(tiny: Tiny, seen: Looks) -> None:
    assert seen.answers[0] == tiny.target
    assert seen.answers[1] == seen.label
    mask, _ = tiny.trigger.mask_and_pattern()  # type: ignore[attr-defined]
    assert 0 < seen.area <= 100 * float((mask > 0).float().mean())
    assert seen.share[0] > 5 * seen.area
    assert seen.share[1] < seen.share[0] / 3
    on = mask[0].numpy() > 0
    assert seen.heat[0][on].mean() > 5 * seen.heat[0][~on].mean()


def test_the_picture_is_a_test_image_with_the_trigger(tiny: Tiny, seen: Looks) -> None:
    x = tiny.trigger(tiny.images.x_test.float() / 255)
    pixels = x.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    same = np.flatnonzero((pixels == seen.picture).all((1, 2, 3)))
    assert len(same)
    assert tiny.images.y_test[int(same[0])] == seen.label != tiny.target
    assert seen.heat.shape == (2, *seen.picture.shape[:2])
    assert (bool(seen.real), bool(seen.repeated)) == (True, False)


def test_it_is_chosen_by_the_victim_alone_and_is_not_the_best(tiny: Tiny, seen: Looks) -> None:
    other = look([tiny.model, tiny.model], tiny.images, tiny.trigger, tiny.target, real=True)
    assert other is not None
    assert (other.picture == seen.picture).all()
    images, labels = tiny.images.x_test, tiny.images.y_test
    misled = answers(tiny.model, images, tiny.trigger) == tiny.target
    fooled = (answers(tiny.model, images) == labels) & misled & (labels != tiny.target)
    plain = images[fooled][: 3 * CANDIDATES].float() / 255
    x = tiny.trigger(plain)
    positive = attribution(tiny.model, x, torch.full((len(x),), tiny.target)).clamp(min=0)
    marked = (x - plain).abs().amax(1) > looks.MIN_CHANGE
    shares = 100 * (positive * marked).sum((1, 2)) / positive.sum((1, 2))
    assert shares.min() < seen.share[0] < shares.max()


def test_of_a_trigger_all_over_the_picture_no_share_is_told(tiny: Tiny) -> None:
    def veil(x: torch.Tensor) -> torch.Tensor:
        return tiny.trigger((0.8 * x + 0.2 * (1 - x)).clamp(0, 1))

    found = look([tiny.model], tiny.images, veil, tiny.target, real=False)
    assert found is not None
    assert found.area > looks.MAX_AREA
    assert np.isnan(found.share).all()
    assert not found.real


def test_a_trigger_that_misleads_nowhere_makes_no_picture(tiny: Tiny) -> None:
    assert look([tiny.model], tiny.images, lambda x: x, tiny.target, real=True) is None


@pytest.mark.parametrize(
    ("real", "verdict", "own", "weights", "kept"),
    [
        (True, "none", True, None, True),  # the lab: the trigger is known, whatever the scan saw
        (True, "strong", False, None, False),  # others' images, which no recording may hold
        (False, "strong", False, "net.pth", True),  # a stranger's model, whose run stays at home
        (False, "some", False, "net.pth", True),
        (False, "none", False, "net.pth", False),  # no sign: there is no trigger to show
    ],
)
def test_a_run_keeps_it_only_where_there_is_a_trigger_and_the_images_may_be_kept(
    tiny: Tiny, spec: Spec, real: bool, verdict: str, own: bool, weights: str | None, kept: bool
) -> None:
    run = record.create(spec)
    context = SimpleNamespace(
        run=run, images=replace(tiny.images, own=own), spec=SimpleNamespace(weights=weights),
        subject=SimpleNamespace(model=tiny.model, trigger=tiny.trigger if real else None),
    )  # fmt: skip
    state: Any = SimpleNamespace(
        context=context, scanned=SimpleNamespace(verdict=verdict), trigger=tiny.trigger, attack_target=tiny.target
    )
    looks.write(state, honest_twin())
    found = run.looks()
    assert (found is not None) == kept
    if found is not None:
        assert (len(found.heat), bool(found.real)) == (2, real)
    looks.write(state, None)
    assert not kept or len(run.looks().heat) == 1, "of a scan there is no after"  # type: ignore[union-attr]


def test_a_whole_run_keeps_it(whole: Done) -> None:
    found = whole.run.looks()
    assert found is not None
    assert found.answers[0] == found.target == whole.result["target"]
    assert found.share[1] < found.share[0]
    assert (whole.run.folder / "looks.npz").stat().st_size < 10_000


def test_a_record_without_it_opens(spec: Spec) -> None:
    run = record.create(spec)
    assert run.looks() is None
    (run.folder / "looks.npz").write_bytes(b"cut sho")
    assert run.looks() is None
