from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.watch import ibd_psc
from core.watch.detector import Watched, see


def test_the_score_is_the_mean_probability_under_amplified_norms(
    watched: Watched, clean: tuple[Tensor, Tensor]
) -> None:
    x = clean[0][:10]
    state = {"last": torch.tensor([1, 3])}
    seen = see(watched.model, x)
    expected = torch.zeros(10)
    for last in (1, 3):
        copy = deepcopy(watched.model).eval()
        norms = [part for part in copy.modules() if isinstance(part, nn.BatchNorm2d)]
        with torch.no_grad():
            for norm in norms[len(norms) - last :]:
                norm.weight *= ibd_psc.OMEGA
                norm.bias *= ibd_psc.OMEGA
            expected += copy(as_float(x)).softmax(1)[torch.arange(10), seen.answers] / 2
    torch.testing.assert_close(ibd_psc.score(watched, state, x, seen), expected, rtol=1e-3, atol=1e-3)


def test_the_model_itself_is_left_alone(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    before = deepcopy(watched.model.state_dict())
    state = ibd_psc.fit(watched, *clean, see(watched.model, clean[0]), 0)
    ibd_psc.score(watched, state, clean[0][:5], see(watched.model, clean[0][:5]))
    assert all(torch.equal(value, before[name]) for name, value in watched.model.state_dict().items())


def test_the_first_copy_is_the_one_that_spoils_the_answers_and_else_the_last_are_taken(
    watched: Watched, clean: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = clean
    seen = see(watched.model, x)
    count = sum(isinstance(part, nn.BatchNorm2d) for part in watched.model.modules())
    assert ibd_psc.fit(watched, x, (seen.answers + 1) % 10, seen, 0)["last"][0] == 1  # all wrong: the first will do
    monkeypatch.setattr(ibd_psc, "ERROR", 1.1)  # nothing spoils so many
    last = ibd_psc.fit(watched, x, y, seen, 0)["last"].tolist()
    assert last == list(range(max(1, count - ibd_psc.COPIES + 1), count + 1))


def test_a_network_without_batch_norm_has_no_score(clean: tuple[Tensor, Tensor]) -> None:
    bare = Watched(Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))))
    state = ibd_psc.fit(bare, *clean, see(bare.model, clean[0]), 0)
    assert not ibd_psc.score(bare, state, clean[0][:4], see(bare.model, clean[0][:4])).any()
