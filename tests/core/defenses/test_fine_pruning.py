"""Fine-pruning: which channels go, how many, and that they stay away."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.defenses.fine_pruning import FinePruning, reader, settings_for
from core.metrics import benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers, look
from tests.core.tiny import Tiny


def make(tiny: Tiny, **changes: float) -> FinePruning:
    return FinePruning(tiny.model, tiny.x, tiny.y, (), settings_for("default", **changes))


def pruned(defence: FinePruning) -> FinePruning:
    """Until pruning has ended."""
    steps = defence.steps()
    while defence.pruning:
        next(steps)
    return defence


def test_channels_go_in_the_order_of_their_mean_activation(tiny: Tiny) -> None:
    features, _ = look(tiny.model, tiny.x)
    means = features.double().mean(0)
    order = make(tiny).order
    assert torch.equal(means[order].sort().values, means[order])
    assert sorted(order.tolist()) == list(range(32))


def test_pruning_ends_before_accuracy_on_the_clean_budget_falls_by_more_than_it_may(tiny: Tiny) -> None:
    defence = pruned(make(tiny, tolerance=0.1))
    before = benign_accuracy(answers(tiny.model, tiny.x), tiny.y)
    after = benign_accuracy(answers(defence.result(), tiny.x), tiny.y)
    assert 0 < defence.pruned < 32
    assert after >= 0.9 * before
    defence.pruned += defence.each
    defence._cut()
    assert benign_accuracy(answers(defence.result(), tiny.x), tiny.y) < 0.9 * before, (
        "one more would have been too many"
    )


def test_only_the_columns_of_pruned_channels_are_zero_and_the_rest_is_the_victims(tiny: Tiny) -> None:
    defence = pruned(make(tiny))
    gone = defence.order[: defence.pruned]
    ours, theirs = defence.model.head[0].weight.clone(), tiny.model.head[0].weight.clone()
    assert (ours[:, gone] == 0).all()
    ours[:, gone] = theirs[:, gone]
    assert torch.equal(ours, theirs)


def test_a_larger_tolerance_prunes_more_and_none_prunes_only_what_costs_nothing(tiny: Tiny) -> None:
    counts = [pruned(make(tiny, tolerance=share)).pruned for share in (0.0, 0.1, 0.5)]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]
    assert pruned(make(tiny, tolerance=1)).pruned == 31, "one channel is left in any case"


def test_what_is_pruned_does_not_grow_again(tiny: Tiny) -> None:
    defence = make(tiny, epochs=3, least=0)
    for _ in defence.steps():
        pass
    gone = defence.order[: defence.pruned]
    weight = defence.result(best=True).head[0].weight
    assert (weight[:, gone] == 0).all()
    kept = defence.order[defence.pruned :]
    assert not torch.equal(weight[:, kept], tiny.model.head[0].weight[:, kept]), "the others were trained"


def test_pruning_hurts_the_attack_and_spares_accuracy(tiny: Tiny) -> None:
    _, asr_before = tiny.figures(tiny.model)
    ba, asr = tiny.figures(pruned(make(tiny)).result())
    assert asr < asr_before - 10
    assert ba > 80


@pytest.mark.parametrize(
    ("layers", "columns"),
    [
        ([nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 14 * 14, 10)], 196),
        ([nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6), nn.Linear(6, 10)], 1),
        ([nn.Conv2d(3, 4, 16), nn.Flatten(), *(nn.Linear(4, 4) for _ in range(5)), nn.Linear(4, 10)], None),
        ([nn.Flatten(), nn.Linear(768, 10)], None),
    ],
)
def test_the_layer_that_reads_the_channels_is_found(layers: list[nn.Module], columns: int | None) -> None:
    """A channel has as many columns as its map has pixels; where no layer reads channels, the last one is taken."""
    model = Classifier(nn.Sequential(*layers)).eval()
    layer, count = reader(model)
    first = next(module for module in layers if isinstance(module, nn.Linear))
    assert layer is (first if columns else model.head[0])
    assert count == (columns or 1)


def test_a_channel_of_many_pixels_goes_as_a_whole(tiny: Tiny) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 10))
    with torch.no_grad():
        net[0].bias[:] = 1.0
        net[0].weight[5], net[0].bias[5] = 0, -1.0  # asleep whatever the image
    defence = FinePruning(Classifier(net).eval(), tiny.x, tiny.y, (), settings_for("default"))
    assert defence.order[0] == 5
    next(defence.steps())
    assert (defence.layer.weight[:, 5 * 196 : 6 * 196] == 0).all()
