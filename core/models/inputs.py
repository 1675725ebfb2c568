"""Finds a network's input scaling, size and colour order: those with the best accuracy on clean images.

Where several networks fit the same weights, they are tried together with the scalings: only one of them answers well.
Narrowing early keeps this to seconds: few images for many options, many images for few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.compute.memory import ran_out
from core.data.inputs import NORMALIZATIONS, Inputs, statistics
from core.models.balance import are_unequal, images_worth, pick, weights
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.models.identify import Candidate, siblings
from core.models.sequential import parse

MAX_IMAGES = 1000  # clean images that options are tried on
ROUNDS = ((16, 5), (3, 2), (1, None))  # successive halving: one image in so many; number of options that go on
COARSE = ("none", "half", "imagenet", "bytes")  # scalings; one of them is near enough to compare networks
MAX_ARCHS = 5  # networks that every scaling is tried with; on few images the wrong activation can score higher
MAX_NEAR = 16  # further options that go on, since they are within two standard errors of the best
LARGEST_WORK = 4e10  # multiplications of the last round per option; large networks are tried on fewer images
MIN_IMAGES = 64
LIBRARY_SIZE = 224
# Networks that are too sure of themselves have 1 to 8 % less loss with leaks in their ReLUs than as trained. The price:
# one trained with leaks of 0.01 may be read without them, nearly the same function (one answered 86.8 % either way).
LEAK = 1.1


@dataclass(frozen=True)
class Tried:
    """One option, a network with its inputs, and its score.

    ``accuracy``: percent of ``images`` clean training images, class by class where these are unequal
    (``core.models.balance``), and then worth as much as ``worth`` images of equal classes. ``loss``: mean
    cross-entropy on them, which tells scalings apart that answer alike. ``tied``: no worse than the best beyond what
    chance explains.
    """

    arch: str
    inputs: Inputs
    accuracy: float
    loss: float
    images: int
    tied: bool = False
    worth: int = 0  # 0: all of them

    @property
    def judged(self) -> int:
        """The effective number of images behind the accuracy."""
        return self.worth or self.images

    @property
    def name(self) -> str:
        return self.inputs.name


@dataclass(frozen=True)
class Choice:
    """What was chosen, the model it makes, and everything that was tried: the best first."""

    candidate: Candidate
    inputs: Inputs
    model: Classifier
    tried: tuple[Tried, ...]


def make(candidate: Candidate, inputs: Inputs, net: nn.Module | None = None) -> Classifier:
    """The candidate behind this scaling, in evaluation mode, on the CPU."""
    scaling = statistics(inputs.scaling)
    assert scaling is not None, inputs.scaling
    net = candidate.network() if net is None else net
    colour = "grey" if candidate.channels == 1 else inputs.colour
    model = Classifier(net, *scaling, inputs.size, colour).eval()
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def choose(
    fits: Sequence[Candidate], x: Tensor, y: Tensor, given: Inputs | None = None, device: torch.device | None = None
) -> Choice:
    """The network and the scaling that answer most of the clean images rightly.

    Args:
        fits: networks that fit the weights, the likeliest first.
        x, y: clean training images, uint8 (n, 3, h, w), and their classes (n,).
        given: the scaling, if the user named one; then only networks are compared.
        device: where to try; the CPU by default.

    Raises:
        ValueError: no candidate can take images of this size in any of the usual ways.
    """
    trial = _Trial(x, y, device or torch.device("cpu"))
    options = [(c, i) for c in fits for i in _coarse(c, x, given)]
    options = trial.possible(options)
    if not options:
        raise ValueError("no candidate takes images of this size")
    archs = _distinct(options)
    if len(archs) > 1 or parse(archs[0].arch):
        kept = trial.best(options, ROUNDS[0][0], 6)
        more = [(s, i) for c in _distinct(kept)[:2] for s in siblings(c) for i in _coarse(c, x, given)]
        kept = trial.best([*kept, *trial.possible(more)], ROUNDS[0][0], 6)
        archs = _distinct(kept)[:MAX_ARCHS]
        sizes = {(c.arch, i.size) for c, i in kept}
    else:
        sizes = {(c.arch, i.size) for c, i in options}
    if given is None:
        options = [(c, i) for c in archs for i in _all(c, x) if (c.arch, i.size) in sizes]
    else:
        options = [(c, _fitted(c, given)) for c in archs]
    for share, keep in ROUNDS:
        options = trial.best(options, share, keep)
    candidate, inputs = options[0]
    if given is None:
        candidate, inputs = trial.best_colour(candidate, inputs)
    tried = trial.table()
    best = next(t for t in tried if (t.arch, t.inputs) == (candidate.arch, inputs))
    others = (t for t in tried if t is not best)
    return Choice(candidate, inputs, make(candidate, inputs), (replace(best, tied=False), *others))


class _Trial:
    """The scores of the options so far, and the number of images behind each."""

    def __init__(self, x: Tensor, y: Tensor, device: torch.device) -> None:
        self.unequal, self.device = are_unequal(y), device
        kept = pick(y, MAX_IMAGES, True)  # classes that take turns have every n-th image of one class
        self.x, self.y = x[kept], y[kept]
        self.networks: dict[str, nn.Module] = {}
        self.work: dict[tuple[str, tuple[int, int] | None], float] = {}
        self.scores: dict[tuple[str, Inputs], Tried] = {}

    def model(self, candidate: Candidate, inputs: Inputs) -> Classifier:
        if candidate.arch not in self.networks:
            self.networks[candidate.arch] = candidate.network().to(self.device)
        return make(candidate, inputs, self.networks[candidate.arch]).on(self.device)

    def possible(self, options: Iterable[tuple[Candidate, Inputs]]) -> list[tuple[Candidate, Inputs]]:
        """Those whose network takes an image of this size; of one network the sizes are tried in turn, not beyond
        the second that works."""
        kept = []
        for candidate, inputs in options:
            key = (candidate.arch, inputs.size)
            if key not in self.work:
                self.work[key] = multiplications(self.model(candidate, inputs), self.x[:1])
            if self.work[key]:
                kept.append((candidate, inputs))
        return kept

    def best(
        self, options: Sequence[tuple[Candidate, Inputs]], share: int, keep: int | None
    ) -> list[tuple[Candidate, Inputs]]:
        """The best ``keep`` options on one in ``share`` of the images, and those near them; the best first."""
        options = self.possible({(c.arch, i): (c, i) for c, i in options}.values())
        if share > 1 and keep is not None and len(options) <= keep:
            return list(options)
        scores = [self._score(candidate, inputs, share) for candidate, inputs in options]
        scored = {(candidate.arch, inputs): (candidate, inputs) for candidate, inputs in options}
        return [scored[score.arch, score.inputs] for score in foremost(scores, keep)]

    def best_colour(self, candidate: Candidate, inputs: Inputs) -> tuple[Candidate, Inputs]:
        """The option with the colours as OpenCV reads them, or without, if it answers clearly better so."""
        if candidate.channels != 3:
            return candidate, inputs
        plain = self._score(candidate, inputs, 1)
        others = [replace(inputs, colour=colour) for colour in ("bgr", "grey3")]
        best = max(others, key=lambda other: self._score(candidate, other, ROUNDS[1][0]).accuracy)
        better = plain.accuracy + _margin(plain.accuracy, plain.judged)
        for share in (ROUNDS[1][0], 1):
            if self._score(candidate, best, share).accuracy <= better:
                return candidate, inputs
        return candidate, best

    def _score(self, candidate: Candidate, inputs: Inputs, share: int) -> Tried:
        affordable = int(LARGEST_WORK / self.work[candidate.arch, inputs.size])
        most = min(len(self.x), max(MIN_IMAGES, affordable))
        count = min(most, max(MIN_IMAGES, most // share))
        known = self.scores.get((candidate.arch, inputs))
        if known is not None and known.images >= count:
            return known
        chosen = pick(self.y, count, self.unequal)  # of all classes, in whatever order they lie
        logits = features_and_logits(self.model(candidate, inputs), self.x[chosen])[1].float().cpu()
        labels = self.y[chosen]
        weight = weights(labels.cpu(), self.unequal)
        accuracy = 100 * (weight * (logits.argmax(1) == labels.cpu())).sum().item()
        losses = F.cross_entropy(logits, labels.cpu(), reduction="none").nan_to_num(1e9).clamp(max=1e9)
        worth = images_worth(weight) if self.unequal else 0
        loss = (weight * losses).sum().item()
        score = Tried(candidate.arch, inputs, round(accuracy, 2), round(loss, 4), len(chosen), worth=worth)
        self.scores[candidate.arch, inputs] = score
        return score

    def table(self) -> tuple[Tried, ...]:
        """All scores; options tried on more images first."""
        most = max(score.images for score in self.scores.values())
        top = max(score.accuracy for score in self.scores.values() if score.images == most)
        marked = [
            replace(score, tied=score.accuracy >= top - _margin(top, score.judged)) for score in self.scores.values()
        ]
        return tuple(sorted(marked, key=lambda score: (-score.images, rank(score, top))))


def foremost(scores: Sequence[Tried], keep: int | None) -> list[Tried]:
    """The best ``keep`` scores, and further ones that are within two standard errors of the best; the best first.

    On few images chance puts one before the other, so those that are near are tried on more. None keeps all.
    """
    top = max(score.accuracy for score in scores)
    order = sorted(scores, key=lambda score: rank(score, top))
    if keep is None:
        return order
    near = sum(score.accuracy >= top - 2 * _margin(top, score.judged) for score in order)
    return order[: max(keep, min(near, MAX_NEAR))]


def _margin(top: float, images: int) -> float:
    """The standard error of the best accuracy, points."""
    share = min(max(top / 100, 1 / images), 1 - 1 / images)
    return 100 * (share * (1 - share) / images) ** 0.5


def rank(score: Tried, top: float) -> tuple[bool, float, float]:
    """The order of two options: by accuracy, then by loss, which the network was trained to minimise."""
    tied = score.accuracy >= top - _margin(top, score.judged)
    structure = parse(score.arch)
    loss = score.loss * (LEAK if structure is not None and structure.activation == "leaky" else 1.0)
    return (False, loss, 0.0) if tied else (True, -score.accuracy, loss)


def _distinct(options: Iterable[tuple[Candidate, Inputs]]) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for candidate, _ in options:
        found.setdefault(candidate.arch, candidate)
    return list(found.values())


def _sizes(candidate: Candidate, x: Tensor) -> list[tuple[int, int] | None]:
    """Image sizes worth trying: as they are; what networks for small, and for large, pictures are trained on."""
    size = tuple(x.shape[-2:])
    if candidate.size is not None:
        return [None if candidate.size == size else candidate.size]
    library = candidate.arch.startswith(("torchvision/", "timm/"))
    wanted = [LIBRARY_SIZE] if library and "+" not in candidate.arch else [32]
    return [None, *((side, side) for side in wanted if (side, side) != size)]


def _coarse(candidate: Candidate, x: Tensor, given: Inputs | None) -> list[Inputs]:
    if given is not None:
        return [_fitted(candidate, given)]
    own = candidate.weights.scaling
    return [Inputs(scaling, size) for size in _sizes(candidate, x) for scaling in ((own,) if own else COARSE)]


def usual(candidate: Candidate, x: Tensor) -> list[Inputs]:
    """One scaling of each kind, the images' own statistics among them, in each size that the network can take.

    Args:
        x: images, uint8 (n, 3, h, w), at least one.
    """
    scalings = (*COARSE, *own_statistics(x))
    options = [Inputs(scaling, size) for size in _sizes(candidate, x) for scaling in scalings]
    sizes = {i.size for i in options if i.scaling == COARSE[0] and multiplications(make(candidate, i), x[:1])}
    return [inputs for inputs in options if inputs.size in sizes]


def _fitted(candidate: Candidate, given: Inputs) -> Inputs:
    """What the user named, as this network can take it: grey pictures in three equal channels, if it wants three."""
    if candidate.size is not None and given.size is None:
        given = replace(given, size=candidate.size)
    return replace(given, colour="grey3") if given.colour == "grey" and candidate.channels == 3 else given


def _all(candidate: Candidate, x: Tensor) -> list[Inputs]:
    own = candidate.weights.scaling
    scalings = (own,) if own else (*NORMALIZATIONS, *own_statistics(x))
    return [Inputs(scaling, size) for size in _sizes(candidate, x) for scaling in scalings]


def own_statistics(x: Tensor) -> tuple[str, ...]:
    """The scaling by the images' own statistics, channel by channel, as many train; none if they are of one colour."""
    channels = (x[:: max(1, len(x) // MAX_IMAGES)].float() / 255).movedim(1, 0).flatten(1)
    mean, std = channels.mean(1), channels.std(1)
    if float(std.min()) < 0.01:
        return ()
    return ("/".join(",".join(f"{value:.3f}" for value in part.tolist()) for part in (mean, std)),)


def multiplications(model: Classifier, image: Tensor) -> float:
    """How many multiplications convolutions and linear layers need for one image; 0 if the network cannot take it."""
    total = 0.0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            total += float(output.numel() * module.weight[0].numel())

    counted = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [module.register_forward_hook(count) for module in counted]
    try:
        with torch.inference_mode():
            logits = model(image.to(model.mean.device).float() / 255)
        return total if logits.shape == (1, model.num_classes) else 0.0
    except (RuntimeError, ValueError, AssertionError, IndexError, TypeError) as error:
        if ran_out(error):
            raise
        return 0.0
    finally:
        for hook in hooks:
            hook.remove()
