"""The training loop of all defences: steps of SGD over the clean budget that can be stopped, repeated and resumed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim.sgd import sgd

from core.attacks.training import shifted
from core.compute.memory import ran_out
from core.data.imageset import as_float
from core.events import Stamps
from core.models.capacity import images_at_once
from core.models.classifier import Classifier
from core.training.finite import require_finite

MIN_BATCH = 4  # images in a batch that is halved for lack of memory: statistics of fewer are mostly noise
IMAGES_PER_CHOSEN = 4  # images in a pass for each chosen one, at most: triggered, stamped, clean, found (MCL)


class TargetedTrigger(Protocol):
    """A trigger with its target class; ``core.triggers.reconstructed.Reconstructed`` is one."""

    @property
    def target(self) -> int: ...

    def __call__(self, images: Tensor) -> Tensor:
        """Float images (n, 3, h, w) in [0, 1] with the trigger."""
        ...


class Check(NamedTuple):
    """BA and estimated ASR on the held-out part, percent."""

    ba: float
    asr: float


@dataclass(frozen=True)
class PurifyStep:
    """One optimiser step. ``losses``: unweighted terms. ``check``: on the held-out part; None at steps without one."""

    step: int
    total: int
    lr: float
    losses: dict[str, float] = field(default_factory=dict)
    check: Check | None = None


class LoopSettings(Protocol):
    """Settings that the loop reads; the weight of a loss term is the setting of the same name."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def momentum(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


@dataclass(frozen=True)
class TuningSettings:
    """Cross-entropy on clean images with a cosine schedule; most other defences extend these settings.

    Momentum, weight decay and the cosine to 0 are those of BackdoorBench (Wu et al., NeurIPS 2022). The learning rate
    is that of NAD's authors for a WRN-16-1 and 5 % clean images. The gradient norm is clipped to a share of the weight
    norm, for networks without normalisation (core/defenses/NOTES.md).

    Args:
        clean: weight of the cross-entropy.
        lr: learning rate at the start.
        epochs: passes over the clean budget.
        least: least number of steps, unless ``epochs`` was changed; a small budget has few steps per epoch.
        batch: images per step.
        momentum, weight_decay: of SGD.
        clip: largest norm of the gradient as a share of the norm of the weights, over all layers; 0: no clipping.
        shift: largest random shift of an image, pixels. Images are not mirrored: a mirrored sign is another sign.
        most_drop: largest loss of BA, percentage points, with which a purified model is written; 0: no limit.
    """

    ABOVE_0: ClassVar[tuple[str, ...]] = ("epochs", "batch")
    BELOW_1: ClassVar[tuple[str, ...]] = ("momentum",)
    clean: float = 1.0
    lr: float = 0.1
    epochs: int = 4
    least: int = 150
    batch: int = 64
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 0.1
    shift: int = 2
    most_drop: float = 2.0


class Training(ABC):
    """Trains a copy of the victim, step by step. Subclasses define ``losses`` and ``learning_rate``.

    Args:
        victim: the backdoored model; not changed.
        images: clean images to train on, uint8, shape (n, 3, h, w).
        labels: their classes, int64, shape (n,).
        settings: see ``LoopSettings``.
        seed: of the order of the images; the same seed on a CPU gives the same model.

    Attributes:
        model: the copy; in evaluation mode between steps.
        done: steps done, ``steps_before`` included.
        steps_before: steps that precede the loop (pruning, training of a teacher).
        stamps: random stamps in place of triggers ("alone"), beside them ("beside"), or none (None).
        equal_batches: whether an epoch is split into batches of equal size, to within one image. Otherwise all are full
            but the last.
        max_batch: images in a batch at most; halved if a GPU runs out of memory.
    """

    stamps: Stamps | None = None
    equal_batches = True

    def __init__(
        self, victim: Classifier, images: Tensor, labels: Tensor, settings: LoopSettings, seed: int = 0
    ) -> None:
        device = victim.mean.device
        self.settings, self.seed = settings, seed
        self.model = deepcopy(victim)
        self.x, self.y = as_float(images.to(device)), labels.to(device)
        # a single image left over makes no batch of its own: batch norm cannot train on one image
        self.per_epoch = max(1, math.ceil((len(self.x) - 1) / settings.batch))
        self.momenta: dict[str, Tensor] = {}
        self.done = self.steps_before = 0
        self.max_batch = settings.batch + 1
        self._planned = False

    @property
    def total(self) -> int:
        """Steps in all, as far as is known now."""
        return self.steps_before + self.settings.epochs * self.per_epoch

    @abstractmethod
    def learning_rate(self, step: int) -> float:
        """The learning rate of a step of the loop, counted from 0."""

    @abstractmethod
    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        """The unweighted loss terms on the images ``chosen``, (k,)."""

    def weight(self, term: str) -> float:
        """The weight of a loss term: the setting of the same name."""
        return float(getattr(self.settings, term))

    def after_step(self) -> Check | None:
        """Called after every step, with the model in evaluation mode; returns a check on held-out images, if made."""
        return None

    def steps(self) -> Iterator[PurifyStep]:
        """Trains, and yields after every step. The iterator may be left at any step.

        Raises:
            BadInput: ``training_diverged``: a loss or a weight is not finite.
        """
        batches = self._batches()
        while self.done < self.total:
            lr = self.learning_rate(self.done - self.steps_before)
            self.model.train()
            losses = self._backward(next(batches))
            self._descend(lr)
            self.model.eval()
            require_finite(losses.values(), self.model.net, self.done + 1, self.learning_rate(0))
            self.done += 1
            yield PurifyStep(self.done, self.total, lr, losses, self.after_step())

    def _backward(self, chosen: Tensor) -> dict[str, float]:
        """Computes the gradients on a batch; returns the loss terms.

        The first call plans the batch size by the computer's free memory. If a GPU runs out of memory, the batch size
        is halved from then on.
        """
        if not self._planned:
            at_once = images_at_once(self.model, self.x[:1])
            if at_once is not None:
                self.max_batch = max(MIN_BATCH, min(self.max_batch, at_once // IMAGES_PER_CHOSEN))
            self._planned = True
        while True:
            chosen = chosen[: self.max_batch]
            self.model.zero_grad(set_to_none=True)
            try:
                terms = self.losses(chosen)
                torch.stack([self.weight(name) * term for name, term in terms.items()]).sum().backward()
                return {name: float(term.detach()) for name, term in terms.items()}
            except Exception as error:
                if ran_out(error) != "GPU" or len(chosen) // 2 < MIN_BATCH:
                    raise
            # outside the handler, which holds references to the tensors of the failed pass
            self.max_batch = len(chosen) // 2
            torch.cuda.empty_cache()

    def _batches(self) -> Iterator[Tensor]:
        """Batches of indices from the next step on. The order of an epoch depends on seed and epoch alone.

        Batches of equal size avoid a small last one, whose batch-norm statistics would be noise.
        """
        while True:
            epoch, i = divmod(self.done - self.steps_before, self.per_epoch)
            generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            order = torch.randperm(len(self.x), generator=generator).to(self.x.device)
            # a single image left over joins the batch before it: batch norm cannot train on one image
            ends = [self.settings.batch * number for number in range(1, self.per_epoch)]
            yield from order.tensor_split(self.per_epoch if self.equal_batches else ends)[i:]

    def step_generator(self) -> torch.Generator:
        """A new generator for the random numbers of the next step; its state depends on seed and step alone."""
        return torch.Generator().manual_seed(self.seed * 100_003 + 50_021 + self.done)

    @torch.no_grad()
    def _descend(self, lr: float) -> None:
        # torch's functional SGD: the first use of its Optimizer class imports torch._dynamo, which takes three seconds
        named = [(name, p, p.grad) for name, p in self.model.net.named_parameters() if p.grad is not None]
        momenta = [self.momenta.get(name) for name, _, _ in named]
        sgd(
            [p for _, p, _ in named], [grad for _, _, grad in named], momenta, lr=lr, momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay, dampening=0, nesterov=False, maximize=False,
        )  # fmt: skip
        self.momenta = {name: m for (name, _, _), m in zip(named, momenta, strict=True) if m is not None}

    def result(self, best: bool = False) -> Classifier:
        """A copy of the model in evaluation mode. ``best``: the training is over, and the best model is asked for."""
        return deepcopy(self.model).eval()

    def weights(self) -> dict[str, Tensor]:
        """A copy of the model's weights."""
        return {key: value.detach().clone() for key, value in self.model.net.state_dict().items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """A checkpoint: tensors and numbers that ``restore`` takes."""
        tensors = {f"model.{k}": v for k, v in self.weights().items()}
        tensors |= {f"momentum.{k}": v.clone() for k, v in self.momenta.items()}
        return tensors, {"done": self.done}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        """Restores a checkpoint of ``state``."""
        self.model.net.load_state_dict(self.part(tensors, "model"))
        self.momenta = self.part(tensors, "momentum")
        self.done = int(numbers["done"])

    def part(self, tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
        """Copies of the tensors of a checkpoint whose keys are ``<name>.<key>``, by ``<key>``."""
        start = f"{name}."
        return {k[len(start) :]: v.to(self.x.device, copy=True) for k, v in tensors.items() if k.startswith(start)}


class Tuning(Training):
    """Training with ``TuningSettings``: clipped gradients and a learning rate that falls to 0 along a cosine."""

    settings: TuningSettings

    @property
    def total(self) -> int:
        return self.steps_before + self._loop_steps

    @property
    def _loop_steps(self) -> int:
        return max(self.settings.epochs * self.per_epoch, self.settings.least)

    def learning_rate(self, step: int) -> float:
        return self.settings.lr * 0.5 * (1 + math.cos(math.pi * step / self._loop_steps))

    def _descend(self, lr: float) -> None:
        if self.settings.clip:
            weights = list(self.model.net.parameters())
            clip_grad_norm_(weights, self.settings.clip * float(get_total_norm([p.detach() for p in weights])))
        super()._descend(lr)

    def shifted_batch(self, chosen: Tensor) -> Tensor:
        """The images ``chosen`` with random shifts, float (k, 3, h, w)."""
        return shifted(self.x[chosen], self.settings.shift, False, self.step_generator())
