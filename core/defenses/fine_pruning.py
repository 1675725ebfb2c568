"""Fine-pruning: channels that clean images do not activate are pruned, then the network is fine-tuned.

Source: Liu et al., "Fine-Pruning", RAID 2018, sections 3.1 (pruning) and 3.3 (fine-pruning): the channels of the last
convolutional layer are pruned in the order of their mean activation on clean images, the least active first, as long
as accuracy on clean images holds; fine-tuning puts right what that cost, and undoes what the backdoor had in other
channels.

What is pruned are the channels as they leave the convolutional part, that is, the columns of the linear layer which
reads them. In a plain network that is the last convolution's own channel; in one with shortcuts it takes the
shortcut's part too, as masking the feature map in BackdoorBench does; in one that joins the maps of several layers
(DenseNet, Inception) all that were joined count. Weights keep their names and shapes.

Deviations: accuracy is judged on the clean budget itself, which has no second part; it may fall by ``tolerance``, a
tenth of it as in BackdoorBench; a step prunes a thirty-second of the channels; activations are taken without their
sign, for networks whose last activation lets negative values pass. Rate and schedule as for fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.defenses.fine_tuning import FineTuning
from core.defenses.presets import from_preset
from core.metrics import benign_accuracy
from core.models.classifier import Classifier, frozen
from core.training.loop import Check, PurifyStep, TargetedTrigger
from core.training.rate_search import SearchedSettings

PRUNING_STEPS = 32  # after which all channels would be pruned
MAX_LINEAR = 3  # linear layers after the last convolution; networks with more are transformers


@dataclass(frozen=True)
class PruningSettings(SearchedSettings):
    """Those of fine-tuning, and ``tolerance``: share of the accuracy on the clean budget that pruning may cost, 0-1."""

    AT_MOST_1: ClassVar[tuple[str, ...]] = ("tolerance",)
    tolerance: float = 0.1


PRESETS: dict[str, PruningSettings] = {"default": PruningSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> PruningSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("Fine-pruning", PRESETS, preset, **changes)


class _Watch(TorchFunctionMode):
    """What a network does after its last feature map: the order of its modules does not tell.

    Attributes:
        width, pixels: how long the row is into which that map was laid out, and how many of it are of one channel;
            0, 1: it was not laid out but averaged, or had one place.
        readers: linear layers that were called on rows since there was a feature map.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolved, self.width, self.pixels, self.readers = False, 0, 1, list[nn.Linear]()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.convolved |= getattr(func, "__name__", "") == "conv2d"
            if made.ndim == 4:
                self.width, self.pixels, self.readers = 0, 1, []
            elif made.ndim == 2 and args and isinstance(args[0], Tensor) and args[0].ndim == 4:
                self._laid_out(args[0], made)
        return made

    def _laid_out(self, field: Tensor, row: Tensor) -> None:
        if row.shape[1] == math.prod(field.shape[1:]):
            self.width, self.pixels = row.shape[1], math.prod(field.shape[2:])

    def called(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(layer, nn.Linear) and inputs[0].ndim == 2:
            self.readers.append(layer)


def reader(model: Classifier, images: Tensor) -> tuple[nn.Linear, int]:
    """The linear layer that reads the channels of the last feature map, and how many of its columns each channel has.

    Where there is no such map (a transformer), the last layer and one column for each feature.

    Args:
        images: float (n, 3, h, w) in [0, 1], to watch the network with; one is enough.
    """
    watch = _Watch()
    hooks = [m.register_forward_pre_hook(watch.called) for m in model.net.modules() if isinstance(m, nn.Linear)]
    try:
        with frozen(model), torch.inference_mode(), watch:
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    if not watch.convolved or not 0 < len(watch.readers) <= MAX_LINEAR:
        return model.head[0], 1
    first = watch.readers[0]
    return first, watch.pixels if first.in_features == watch.width else 1


class FinePruning(FineTuning):
    """Prunes a copy of the victim, then fine-tunes it with the pruned channels held at zero.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: not used.

    Attributes:
        order: channels, the least active first.
        pruned: how many of them are gone.
    """

    settings: PruningSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: PruningSettings,
        seed: int = 0,
    ) -> None:
        super().__init__(victim, images, labels, triggers, settings, seed)
        self.layer, self.columns = reader(self.model, self.x[:1])
        self.kept = self.layer.weight.detach().clone()  # as the victim has it, for a step that is taken back
        activity, right = self._look()
        self.order = activity.argsort(stable=True)
        self.least = right * (1 - settings.tolerance)
        self.each = max(1, len(self.order) // PRUNING_STEPS)
        self.pruned, self.pruning = 0, True
        self.steps_before = -(-len(self.order) // self.each)

    @torch.inference_mode()
    def _look(self) -> tuple[Tensor, float]:
        """Mean activation of each channel on the clean budget, (channels,), and accuracy there, percent."""
        self.model.eval()
        total = torch.zeros(self.layer.in_features // self.columns, dtype=torch.float64)  # CPU: MPS has no float64

        def add(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            rows = inputs[0].flatten(0, -2)
            total.add_(rows.abs().cpu().double().unflatten(1, (-1, self.columns)).mean(2).sum(0))

        hook = self.layer.register_forward_pre_hook(add)
        try:
            batches = self.x.split(self.settings.batch)
            logits = torch.cat([self.model(b.contiguous(memory_format=torch.channels_last)) for b in batches])
        finally:
            hook.remove()
        return total.to(self.layer.weight.device, torch.float32), benign_accuracy(logits.argmax(1), self.y)

    @torch.no_grad()
    def _cut(self) -> None:
        """Zeroes the columns of the pruned channels."""
        gone = self.order[: self.pruned]
        self.layer.weight.unflatten(1, (-1, self.columns))[:, gone] = 0

    def steps(self) -> Iterator[PurifyStep]:
        """First those of pruning, then those of fine-tuning; which they are in all is known once pruning has ended."""
        while self.pruning:
            self._prune()
            yield PurifyStep(self.done, self.total, 0.0, {"pruned": self.pruned / len(self.order)})
        yield from super().steps()

    def _prune(self) -> None:
        """One step of pruning; taken back, and the last one, where it costs too much."""
        before, self.pruned = self.pruned, min(self.pruned + self.each, len(self.order))
        self._cut()
        self.done += 1
        if self._look()[1] < self.least or self.pruned == len(self.order):
            self.pruned, self.pruning, self.steps_before = before, False, self.done
            with torch.no_grad():
                self.layer.weight.copy_(self.kept)
            self._cut()

    def after_step(self) -> Check | None:
        self._cut()  # training would let them grow again
        return None

    def start_anew(self) -> None:
        super().start_anew()
        self._cut()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        return tensors, numbers | {"pruned": self.pruned, "pruning": self.pruning, "first": self.steps_before}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        self.pruned, self.pruning, self.steps_before = (
            int(numbers["pruned"]),
            bool(numbers["pruning"]),
            int(numbers["first"]),
        )
