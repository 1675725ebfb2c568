from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from core.data.inputs import NORMALIZATIONS, Inputs, statistics
from core.models.classifier import Classifier
from core.models.identify import Candidate, candidates
from core.models.inputs import (
    LEAK,
    MAX_NEAR,
    Choice,
    Tried,
    choose,
    foremost,
    make,
    multiplications,
    own_statistics,
    rank,
)
from core.models.weights import Weights

CLASSES = 4


def pictures(count: int = 240, side: int = 12) -> tuple[Tensor, Tensor]:
    """Noise on four colours that are near one another."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(count) % CLASSES
    colours = torch.tensor([[100, 120, 90], [130, 120, 90], [100, 150, 90], [100, 120, 120]])
    noise = torch.randint(-40, 41, (count, 3, side, side), generator=generator)
    return (colours[y][:, :, None, None] + noise).clamp(0, 255).to(torch.uint8), y


X, Y = pictures()


def row(channels: int = 3, activation: type[nn.Module] = nn.ELU) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), activation(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8 * 36, CLASSES),
    )  # fmt: skip


def trained(net: nn.Module, inputs: Inputs, x: Tensor = X, y: Tensor = Y) -> Weights:
    torch.manual_seed(0)
    scaling = statistics(inputs.scaling)
    assert scaling is not None
    model = Classifier(net, *scaling, inputs.size, inputs.colour)
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x.float() / 255), y).backward()
        optimiser.step()
    with torch.no_grad():
        right = (model.eval()(x.float() / 255).argmax(1) == y).float().mean()
    assert right > 0.95, "the toy has not learned"
    return Weights({name: value.detach().clone() for name, value in net.state_dict().items()})


def chosen(weights: Weights, x: Tensor = X, y: Tensor = Y, given: Inputs | None = None) -> Choice:
    return choose(candidates(weights, x.shape[-1]), x, y, given)


def among_the_best(choice: Choice, name: str) -> bool:
    """Chosen, or marked as doing as well: networks of toys answer alike under scalings that are near one another."""
    return choice.inputs.name == name or any(t.tied and t.name == name for t in choice.tried)


@pytest.mark.parametrize("scaling", ["none", "half", "imagenet", "bytes", "half-mean"])
def test_the_scaling_it_was_trained_with_is_found(scaling: str) -> None:
    torch.manual_seed(1)
    choice = chosen(trained(row(), Inputs(scaling)))
    assert among_the_best(choice, scaling)
    best = choice.tried[0]
    assert (best.arch, best.inputs) == (choice.candidate.arch, choice.inputs)
    assert best.accuracy > 90
    assert best.images == len(X)
    assert not best.tied
    assert {t.inputs.scaling for t in choice.tried} == {*NORMALIZATIONS, *own_statistics(X)}


def test_statistics_of_the_images_themselves_are_found() -> None:
    """What most people normalise with, and no list knows."""
    torch.manual_seed(1)
    dim = (X.float() * 0.2 + 20).to(torch.uint8)  # far from every scaling that has a name
    [own] = own_statistics(dim)
    mean, std = statistics(own) or ((), ())
    assert mean == pytest.approx((dim.float() / 255).mean((0, 2, 3)).tolist(), abs=1e-3)
    assert std == pytest.approx((dim.float() / 255).std((0, 2, 3)).tolist(), abs=1e-3)
    choice = chosen(trained(row(), Inputs(own), dim), dim)
    assert choice.inputs.scaling == own
    assert own_statistics(torch.full_like(X, 7)) == (), "images of one colour have no spread to divide by"


def test_the_activation_it_was_trained_with_is_found() -> None:
    torch.manual_seed(2)
    choice = chosen(trained(row(activation=nn.Tanh), Inputs("half")))
    assert choice.candidate.arch == "sequential/tanh/max/2/same/flat"
    assert among_the_best(choice, "half")
    assert len({t.arch for t in choice.tried}) > 5


def test_colours_as_opencv_reads_them() -> None:
    torch.manual_seed(3)
    choice = chosen(trained(row(), Inputs("half", colour="bgr")))
    assert choice.inputs.colour == "bgr"
    assert choice.inputs.name.endswith(":bgr")


def test_grey_that_was_named_reaches_a_network_for_three_channels_three_times() -> None:
    torch.manual_seed(4)
    choice = chosen(trained(row(), Inputs("none")), given=Inputs("none", colour="grey"))
    assert choice.inputs.name == choice.tried[0].name == "none:grey3"


def test_a_network_for_grey_images_gets_them() -> None:
    x, y = X.clone(), Y
    x[y == 1] = 255 - x[y == 1]
    x[y == 2] //= 4
    x[y == 3] = x[y == 3] // 2 + 120
    torch.manual_seed(4)
    choice = chosen(trained(row(1), Inputs("none", colour="grey"), x, y), x, y)
    assert choice.candidate.channels == 1
    assert choice.model.colour == "grey"
    assert choice.tried[0].accuracy > 90


def test_a_network_for_another_size_gets_it() -> None:
    torch.manual_seed(5)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
        nn.Linear(4 * 64, CLASSES),
    )  # fmt: skip
    weights = trained(net, Inputs("half", (32, 32)))
    candidate = Candidate("own", CLASSES, 3, weights, made=net)
    choice = choose([candidate], X, Y)
    assert choice.inputs.size == (32, 32)
    assert choice.model(X[:2].float() / 255).shape == (2, CLASSES)


def test_what_the_user_named_is_used() -> None:
    torch.manual_seed(1)
    choice = chosen(trained(row(), Inputs("half")), given=Inputs("bytes"))
    assert choice.inputs.scaling == "bytes"
    assert choice.model.std.flatten().tolist() == pytest.approx([1 / 255] * 3)
    assert {t.inputs.scaling for t in choice.tried} == {"bytes"}


def test_the_same_choice_every_time() -> None:
    torch.manual_seed(1)
    weights = trained(row(), Inputs("half"))
    assert chosen(weights).tried == chosen(weights).tried


def test_scalings_that_answer_alike_are_marked_as_tied() -> None:
    torch.manual_seed(1)
    tried = chosen(trained(row(), Inputs("cifar10"))).tried
    best = tried[0]
    tied = [t for t in tried if t.tied]
    assert tied
    assert min(t.accuracy for t in tied) > best.accuracy - 5
    assert all(t.tied for t in tried[1:] if t.accuracy == best.accuracy)
    losses = {t: t.loss * (LEAK if "leaky" in t.arch else 1) for t in tied if t.images == best.images}
    assert best.loss <= min(losses.values()), "ties are settled by the loss"


def test_a_leak_that_only_makes_a_network_less_sure_of_itself_is_not_taken_for_its_activation() -> None:
    relu, leaky, clearly = (
        Tried(f"sequential/{name}/max/2/same/flat", Inputs("half"), 98.7, loss, 1000)
        for name, loss in (("relu", 0.0446), ("leaky", 0.0431), ("leaky", 0.0300))
    )
    assert sorted([leaky, relu], key=lambda score: rank(score, 98.7)) == [relu, leaky]
    assert sorted([relu, clearly], key=lambda score: rank(score, 98.7)) == [clearly, relu]


def test_an_activation_that_few_images_put_third_is_still_tried_on_all() -> None:
    few, every = (
        [Tried(f"sequential/{name}/max/2/same/flat", Inputs("half"), 100.0, losses[at], images) for name, losses in (
            ("gelu", (0.1, 0.5)), ("leaky", (0.2, 0.4)), ("relu", (0.25, 0.3)), ("silu", (0.3, 0.6)),
        )]
        for at, images in ((0, 64), (1, 1000))
    )  # fmt: skip
    kept = foremost(few, 2)
    assert [score.arch.split("/")[1] for score in kept] == ["gelu", "leaky", "relu", "silu"], "no worse than the best"
    assert foremost(every, None)[0].arch == kept[2].arch


@pytest.mark.parametrize(("near", "kept"), [(7, 8), (0, 5), (30, MAX_NEAR)])
def test_an_option_that_few_images_do_not_tell_from_the_best_goes_on(near: int, kept: int) -> None:
    accuracies = [100.0, *[98.44] * near, *[80.0] * (39 - near)]  # of 64 images the next ``near`` miss one
    scores = [Tried("own", Inputs(f"{k}/1"), accuracy, 1.0, 64) for k, accuracy in enumerate(accuracies)]
    assert foremost(scores, 5) == scores[:kept]
    assert foremost(scores, None) == scores


def test_images_no_network_takes() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 20 * 20, CLASSES))
    candidate = Candidate("own", CLASSES, 3, Weights(dict(net.state_dict())), made=net)
    with pytest.raises(ValueError, match="size"):
        choose([candidate], X, Y)


def test_memory_that_ran_out_is_no_network_that_does_not_fit() -> None:
    net = row()
    net.register_forward_pre_hook(full)
    with pytest.raises(torch.OutOfMemoryError):
        choose([Candidate("own", CLASSES, 3, Weights(dict(net.state_dict())), made=net)], X, Y)


def full(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_multiplications_are_counted() -> None:
    net = row()
    model = make(Candidate("own", CLASSES, 3, Weights(dict(net.state_dict())), made=net), Inputs())
    assert multiplications(model, X[:1]) == 12 * 12 * 8 * 27 + 8 * 36 * CLASSES
    assert multiplications(model, X[:1, :, :8]) == 0
    assert not any(module._forward_hooks for module in model.modules())


def test_where_classes_are_unequal_a_scaling_is_judged_class_by_class() -> None:
    """A network that calls bright pictures the rare class, and a scaling under which it never does."""
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[0.0] * 3, [10.0] * 3]))
        net[2].bias.copy_(torch.tensor([0.0, -27.0]))  # the rare class where the scaled brightness is above 0.9
    y = torch.arange(420) % 42 // 41  # 1 in 42
    bright = torch.where(y == 1, 204, 51)
    bright[torch.arange(0, 420, 10)] = 204  # some of the others are, too
    x = bright[:, None, None, None].expand(-1, 3, 8, 8).to(torch.uint8)
    weights = Weights(net.state_dict())
    best = choose([Candidate("toy", 2, 3, weights, made=net)], x, y)
    assert best.tried[0].accuracy == pytest.approx(95, abs=1.5)
    assert best.tried[0].worth < 2 * int(y.sum()) + 20
    never = next(tried for tried in best.tried if tried.name == "half-mean")
    assert never.accuracy == 50
    right = (best.model(x.float() / 255).argmax(1) == y)[y == 1]
    assert right.all(), "plainly counted, never to call any so would be right more often"
