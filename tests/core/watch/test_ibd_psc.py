from __future__ import annotations

from copy import deepcopy

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
    watched: Watched, clean: tuple[Tensor, Tensor]
) -> None:
    x = clean[0]
    seen = see(watched.model, x)
    assert ibd_psc.fit(watched, x, (seen.answers + 1) % 10, seen, 0)["last"][0] == 1  # all wrong: the first will do
    count = ibd_psc.COPIES + 2
    norms = [nn.BatchNorm1d(3 * 16 * 16) for _ in range(count)]
    net = nn.Sequential(nn.Flatten(), *norms, nn.Linear(3 * 16 * 16, 10, bias=False))
    steady = Watched(Classifier(net).eval())
    seen = see(steady.model, x)  # amplified, its logits are larger, and its answers the same
    assert ibd_psc.fit(steady, x, seen.answers, seen, 0)["last"].tolist() == list(range(3, count + 1))


def test_a_network_without_batch_norm_has_no_score(clean: tuple[Tensor, Tensor]) -> None:
    bare = Watched(Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))))
    state = ibd_psc.fit(bare, *clean, see(bare.model, clean[0]), 0)
    assert not ibd_psc.score(bare, state, clean[0][:4], see(bare.model, clean[0][:4])).any()
