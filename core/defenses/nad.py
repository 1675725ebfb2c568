"""NAD: attention distillation from a fine-tuned copy of the network to the backdoored one.

Source: Li et al., "Neural Attention Distillation", ICLR 2021 (arXiv 2101.05930), sections 3.2 and 3.3.

A teacher is the victim fine-tuned on the clean budget. The student is the victim again; it learns the labels and, after
each group of layers, the teacher's attention. With the activations A (n, c, h, w) of a group, the attention map is the
sum over the channels of |A|^p, p = 2 (the paper's choice among its equation 1), flattened and scaled to length 1; a
group's loss is the mean squared difference between the maps of student and teacher, as in the authors' code (equation 2
has their distance), weighted by ``attention``.

Deviations: the groups are found in any network (``groups``); in a WRN they are the three the authors take, in a
ResNet the last three of four. Weights of the groups are BackdoorBench's (the authors' code, from another teacher,
weighs the last group alone with 5000). Weight decay and batch are the authors', and so is the rate that the teacher
begins with; the student takes the one that the teacher bore (``core.training.rate_search``), and both adopt statistics
of clean images before their first step. The rate falls along a cosine instead of in steps; 4 epochs each for teacher
and student, for the sake of a CPU, where they take 10 and 20. Images are shifted by up to 2 pixels and neither mirrored
nor cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.defenses.fine_tuning import FineTuning
from core.defenses.presets import from_preset
from core.models.classifier import Classifier
from core.training.batchnorm import STATISTICS_IMAGES, adopt_statistics
from core.training.loop import PurifyStep, TargetedTrigger, Tuning
from core.training.rate_search import SearchedSettings

GROUPS = 3  # the last of them; a network may have fewer
WEIGHTS = (500.0, 1000.0, 1000.0)  # of the groups, the last one last


@dataclass(frozen=True)
class NADSettings(SearchedSettings):
    """Those of fine-tuning for teacher and student, and

    attention: weight of the attention loss, whose groups weigh 500, 1000 and 1000 in it.
    teacher_epochs: passes over the clean budget that make the teacher, in ``least`` steps at least.
    power: p.
    """

    ABOVE_0: ClassVar[tuple[str, ...]] = ("power",)
    attention: float = 1.0
    teacher_epochs: int = 4
    power: float = 2.0
    weight_decay: float = 1e-4


PRESETS: dict[str, NADSettings] = {"default": NADSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> NADSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("NAD", PRESETS, preset, **changes)


def attention(activations: Tensor, power: float) -> Tensor:
    """Attention maps (n, h * w), each of length 1, of activations (n, c, h, w)."""
    return F.normalize(activations.abs().pow(power).sum(1).flatten(1))


@torch.no_grad()
def groups(model: Classifier, image: Tensor) -> list[str]:
    """The modules after which attention is compared, by name.

    A group is what works at one picture size; the last ``GROUPS`` sizes above one pixel count. Of the modules that
    answer at a size the outermost counts, made of others rather than single, and of several the last: in a residual
    network that is the group itself, in a plain one the layer before the picture is made smaller.

    Args:
        image: float (1, 3, h, w).
    """
    last: dict[tuple[int, ...], tuple[tuple[int, bool], str]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
                size, rank = tuple(output.shape[2:]), (-name.count("."), any(True for _ in module.children()))
                if size not in last or rank >= last[size][0]:
                    last[size] = (rank, name)

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in model.net.named_modules() if name]
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return [name for _, name in last.values()][-GROUPS:]


@contextmanager
def tapped(model: Classifier, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Inside: what the modules ``names`` answered in the last pass."""
    seen: dict[str, Tensor] = {}
    modules = dict(model.net.named_modules())

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            seen[name] = output

        return hook

    hooks = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


class NAD(Tuning):
    """Makes a teacher, then trains a copy of the victim beside it.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: not used.
    """

    settings: NADSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: NADSettings,
        seed: int = 0,
    ) -> None:
        super().__init__(victim, images, labels, settings, seed)
        adopt_statistics(self.model.eval(), self.x[:STATISTICS_IMAGES])
        self.teacher = FineTuning(victim, images, labels, (), replace(settings, epochs=settings.teacher_epochs), seed)
        self.steps_before = self.teacher.total
        self.groups = groups(self.model.eval(), self.x[:1])

    def steps(self) -> Iterator[PurifyStep]:
        """First the teacher's, in which the student stays as it was, then the student's."""
        for step in self.teacher.steps():
            self.done, self.steps_before = step.step, self.teacher.total
            yield replace(step, total=self.total)
        self.teacher.model.requires_grad_(False)
        yield from super().steps()

    def learning_rate(self, step: int) -> float:
        return super().learning_rate(step) * self.teacher.share

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        x = self.shifted_batch(chosen).contiguous(memory_format=torch.channels_last)
        teacher = self.teacher.model
        with torch.no_grad(), tapped(teacher, self.groups) as theirs:
            teacher(x)
        with tapped(self.model, self.groups) as ours:
            logits = self.model(x)
        distances = [
            weight
            * F.mse_loss(attention(ours[name], self.settings.power), attention(theirs[name], self.settings.power))
            for name, weight in zip(self.groups, WEIGHTS[len(WEIGHTS) - len(self.groups) :], strict=True)
        ]
        terms = {"clean": F.cross_entropy(logits, self.y[chosen])}
        return terms | ({"attention": torch.stack(distances).sum()} if distances else {})

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        theirs, their_numbers = self.teacher.state()
        tensors |= {f"teacher.{name}": value for name, value in theirs.items()}
        return tensors, numbers | {f"teacher.{name}": value for name, value in their_numbers.items()}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        prefix = "teacher."
        theirs = {name.removeprefix(prefix): value for name, value in numbers.items() if name.startswith(prefix)}
        self.teacher.restore(self.part(tensors, "teacher"), theirs)
        self.steps_before = self.teacher.total
