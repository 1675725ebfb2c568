from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.data import load
from core.data.imageset import as_float
from core.engine.purified import as_found, purified
from core.runs import record
from core.victims import card_of, load_victim
from tests.core.watch.conftest import finished


def test_the_weights_that_were_handed_out_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = load("digits")
    model = purified(finished(tmp_path, monkeypatch), images)
    assert model is not None
    x = as_float(images.x_test[:20])
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(x), load_victim("digits-blended").eval()(x))


def test_a_run_without_them_has_none() -> None:
    assert purified(record.open("digits-blended"), load("digits")) is None


def test_a_strangers_model_is_taken_for_what_the_run_found_it_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path, monkeypatch)
    weights = str(card_of("digits-badnets").weights)
    run.update(
        spec=run.data["spec"] | {"victim": None, "weights": weights},
        result=run.data["result"] | {"arch": "small", "normalize": "half"},
    )
    assert (as_found(run).arch, as_found(run).normalize) == ("small", "half")
    run.update(spec=run.data["spec"] | {"model_class": "net.py:Net"})
    assert as_found(run).arch is None
