from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.data.imageset import as_float
from core.watch.drift import MIN_WINDOW, drift
from core.watch.guard import Guard
from core.watch.profile import PICTURES
from tests.core.tiny import Tiny


def window(guard: Guard, images: Tensor) -> list[dict[str, Any]]:
    return [vars(one) for one in guard.look(images)]


def drifted(guard: Guard, images: Tensor) -> set[str]:
    return {name for name, shift in drift(guard.profile, window(guard, images)).items() if shift.drifted}


def test_clean_images_are_no_drift(tiny: Tiny, guard: Guard) -> None:
    assert drifted(guard, tiny.images.x_test[:200]) == set()


def test_a_darker_stream_is_told_by_its_brightness(tiny: Tiny, guard: Guard) -> None:
    assert "brightness" in drifted(guard, as_float(tiny.images.x_test[:200]) * 0.4)


def test_a_stream_of_three_classes_is_told_by_its_answers(tiny: Tiny, guard: Guard) -> None:
    few = tiny.images.x_test[tiny.images.y_test < 3][:150]
    assert "answers" in drifted(guard, few)


def test_too_few_images_are_not_judged(tiny: Tiny, guard: Guard) -> None:
    assert drift(guard.profile, window(guard, tiny.images.x_test[: MIN_WINDOW - 1])) == {}


def test_a_model_with_one_answer_is_no_failure(tiny: Tiny, guard: Guard) -> None:
    entries = window(guard, tiny.images.x_test[:40])
    for entry in entries:
        entry["answer"] = 0
    shift = drift(guard.profile, entries)["answers"]
    assert shift.drifted
    assert np.isfinite(shift.statistic)
    assert torch.tensor(shift.p) < 1e-6


def test_every_figure_of_a_picture_is_compared(tiny: Tiny, guard: Guard) -> None:
    assert set(PICTURES) < set(drift(guard.profile, window(guard, tiny.images.x_test[:MIN_WINDOW])))
