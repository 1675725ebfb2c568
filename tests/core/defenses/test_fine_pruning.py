"""Fine-pruning: which channels go, how many, and that they stay away."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.defenses.fine_pruning import FinePruning, reader, settings_for
from core.metrics import benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers, features_and_logits
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
    features, _ = features_and_logits(tiny.model, tiny.x)
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
    more = defence.result()
    with torch.no_grad():
        more.head[0].weight[:, defence.order[: defence.pruned + defence.each]] = 0  # type: ignore[index]
    assert benign_accuracy(answers(more, tiny.x), tiny.y) < 0.9 * before, "one more would have been too many"


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
    layer, count = reader(model, torch.rand(1, 3, 16, 16))
    first = next(module for module in layers if isinstance(module, nn.Linear))
    assert layer is (first if columns else model.head[0])
    assert count == (columns or 1)


class Squeezed(nn.Module):
    """A map whose channels are weighed by linear layers of their own before it is averaged (squeeze and excitation)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 3)
        self.squeeze, self.excite = nn.Linear(8, 2), nn.Linear(2, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        x = x * self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]
        return self.head(x.mean((2, 3)))


def test_layers_that_weigh_channels_do_not_count_as_their_reader() -> None:
    net = Squeezed()
    assert reader(Classifier(net).eval(), torch.rand(1, 3, 16, 16)) == (net.head, 1)


def joined(name: str) -> tuple[nn.Module, nn.Linear, list[nn.BatchNorm2d]]:
    """A network that joins maps, its last layer, and the norms that make the joined channels, in their order."""
    import torchvision.models as networks

    torch.manual_seed(0)
    if name == "densenet":
        net = networks.DenseNet(growth_rate=8, block_config=(2, 2, 2, 2), num_init_features=16, num_classes=3)
        return net, net.classifier, [net.features.norm5]
    net = networks.googlenet(weights=None, num_classes=3, init_weights=False)  # with its two outputs for training
    last = net.inception5b
    return net, net.fc, [last.branch1.bn, *(branch[1].bn for branch in (last.branch2, last.branch3, last.branch4))]


@pytest.mark.parametrize(("name", "channels", "asleep"), [("densenet", 32, 5), ("googlenet", 1024, 805)])
def test_all_channels_that_were_joined_are_judged_each_by_itself(name: str, channels: int, asleep: int) -> None:
    """The last convolution of such a network makes only some of the channels, and its number divides theirs."""
    net, head, norms = joined(name)
    biases = torch.ones(channels)
    biases[asleep] = -9.0  # behind a ReLU: nothing comes of it, whatever the image
    with torch.no_grad():
        for norm, bias in zip(norms, biases.split([len(norm.bias) for norm in norms]), strict=True):
            norm.weight.mul_(0.1)
            norm.bias.copy_(bias)
    x, y = torch.rand(4, 3, 64, 64), torch.tensor([0, 1, 2, 0])
    defence = FinePruning(Classifier(net).eval(), x, y, (), settings_for("default", tolerance=1.0))
    assert (defence.layer.weight.shape, defence.columns) == (head.weight.shape, 1)
    assert defence.layer is defence.model.head[0]
    assert len(defence.order) == channels
    assert defence.order[0] == asleep
    next(defence.steps())
    gone = (defence.layer.weight == 0).all(0).nonzero().flatten().tolist()
    assert gone == sorted(defence.order[: defence.pruned].tolist())
    assert len(gone) == max(1, channels // 32)


def test_a_channel_of_many_pixels_goes_as_a_whole(tiny: Tiny) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 10))
    with torch.no_grad():
        net[0].bias[:] = 1.0
        net[0].weight[5], net[0].bias[5] = 0, -1.0  # asleep whatever the image
    defence = FinePruning(Classifier(net).eval(), tiny.x, tiny.y, (), settings_for("default"))
    assert defence.order[0] == 5
    next(defence.steps())
    assert (defence.layer.weight[:, 5 * 196 : 6 * 196] == 0).all()
