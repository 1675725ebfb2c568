"""What the defences share: steps of SGD over the clean budget that can be stopped, repeated and taken up again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim.sgd import sgd

from core.attacks.training import shifted
from core.compute.memory import ran_out
from core.compute.room import images_at_once
from core.data.imageset import as_float
from core.events import Stamps
from core.models.classifier import Classifier
from core.training.finite import check

PASSES = 4  # images that go through for each one that is chosen: triggered, clean, found, and one to spare
LEAST = 4  # images in a batch that was made smaller: batch norm makes noise of fewer


class Aimed(Protocol):
    """A trigger, and the class it leads to; ``core.triggers.reconstructed.Reconstructed`` is one."""

    @property
    def target(self) -> int: ...

    def __call__(self, images: Tensor) -> Tensor:
        """Float images (n, 3, h, w) in [0, 1] with the trigger."""
        ...


class Check(NamedTuple):
    """Percent on the held-out part: BA, and the estimated ASR of the trigger that works best."""

    ba: float
    asr: float


@dataclass(frozen=True)
class PurifyStep:
    """One step done. ``losses``: unweighted terms. ``check``: where one was made."""

    step: int
    total: int
    lr: float
    losses: dict[str, float] = field(default_factory=dict)
    check: Check | None = None


class LoopSettings(Protocol):
    """What the loop itself asks of a defence's settings; a loss term's weight is the setting of its name."""

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
    """Cross-entropy on clean images under a falling rate; the settings of the plain defences begin with these.

    Momentum, weight decay and the fall to 0 along a cosine are those of BackdoorBench (Wu et al., NeurIPS 2022); the
    rate is that of NAD's authors for a WRN-16-1 and 5 % clean images. The gradient is cut to a share of the weights'
    length, which leaves that network's alone, and lowers the rate in a PreActResNet-18
    (NOTES.md beside this file).

    Args:
        clean: weight of the cross-entropy.
        lr: learning rate at the start.
        epochs: passes over the clean budget.
        least: steps there are at least; a small budget has few an epoch.
        batch: images a step.
        momentum, weight_decay: of SGD.
        clip: length to which a longer gradient is cut, as a share of the weights' own length, all layers together; 0:
            none is. What a rate does depends on that share, and it differs sevenfold between networks (NOTES.md).
        shift: largest random shift of an image, pixels. Images are not mirrored: a mirrored sign is another sign.
        most_drop: BA, percentage points, that may be lost before nothing is handed out; 0: no guard.
    """

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
    """A copy of the victim in training, step by step. Subclasses say what is minimised (``losses``) and at what rate.

    Args:
        victim: the backdoored model; not changed.
        images: clean images to train on, uint8, shape (n, 3, h, w).
        labels: their classes, int64, shape (n,).
        settings: see ``LoopSettings``.
        seed: of the order; the same on a CPU gives the same model.

    Attributes:
        model: the model in training, in training mode between steps only inside ``steps``.
        done: steps done.
        first: steps that come before the loop begins (pruning, a teacher).
        stamps: whether random stamps come in place of triggers ("alone") or with them ("beside"), or not at all.
        alike: whether the batches of an epoch are of one size, give or take an image.
    """

    stamps: Stamps | None = None
    alike = True

    def __init__(
        self, victim: Classifier, images: Tensor, labels: Tensor, settings: LoopSettings, seed: int = 0
    ) -> None:
        device = victim.mean.device
        self.settings, self.seed = settings, seed
        self.model = deepcopy(victim)
        self.x, self.y = as_float(images.to(device)), labels.to(device)
        # one image more than ``batch`` makes no second batch: batch norm cannot train on one alone
        self.per_epoch = max(1, math.ceil((len(self.x) - 1) / settings.batch))
        self.momenta: dict[str, Tensor] = {}
        self.done = self.first = 0
        self.most_at_once = settings.batch + 1
        self._planned = False

    @property
    def total(self) -> int:
        """Steps in all, as far as is known now."""
        return self.first + self.settings.epochs * self.per_epoch

    @abstractmethod
    def learning_rate(self, step: int) -> float:
        """Of a step of the loop, counted from 0."""

    @abstractmethod
    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        """The unweighted loss terms on the images ``chosen``, (k,)."""

    def weight(self, term: str) -> float:
        """Of a loss term: the setting of its name."""
        return float(getattr(self.settings, term))

    def after_step(self) -> Check | None:
        """Called after every step, with the model in evaluation mode."""
        return None

    def steps(self) -> Iterator[PurifyStep]:
        """Trains; yields after every step. Stopping early, or never resuming the iterator, keeps what was reached.

        Raises:
            BadInput: ``training_diverged``, in place of a step with a loss or a weight that is not finite.
        """
        batches = self._batches()
        while self.done < self.total:
            lr = self.learning_rate(self.done - self.first)
            self.model.train()
            losses = self._fitted(next(batches))
            self._descend(lr)
            self.model.eval()
            check(losses.values(), self.model.net, self.done + 1, self.learning_rate(0))
            self.done += 1
            yield PurifyStep(self.done, self.total, lr, losses, self.after_step())

    def _fitted(self, chosen: Tensor) -> dict[str, float]:
        """Gradients and loss terms of a batch; of a part of it where the computer's free memory does not hold it, and
        of half of it, from now on, where a GPU's does not."""
        if not self._planned:
            room = images_at_once(self.model, self.x[:1])
            if room is not None:
                self.most_at_once = max(LEAST, min(self.most_at_once, room // PASSES))
            self._planned = True
        while True:
            chosen = chosen[: self.most_at_once]
            self.model.zero_grad(set_to_none=True)
            try:
                terms = self.losses(chosen)
                torch.stack([self.weight(name) * term for name, term in terms.items()]).sum().backward()
                return {name: float(term.detach()) for name, term in terms.items()}
            except Exception as error:
                if ran_out(error) != "GPU" or len(chosen) // 2 < LEAST:
                    raise
            # outside of the handler, which would hold on to what the failed pass had made
            self.most_at_once = len(chosen) // 2
            torch.cuda.empty_cache()

    def _batches(self) -> Iterator[Tensor]:
        """Index batches from the next step on; each epoch's order depends on seed and epoch alone, so it resumes.

        Batch norm makes much noise of the few images that a division leaves over, hence batches that are ``alike``.
        """
        while True:
            epoch, i = divmod(self.done - self.first, self.per_epoch)
            generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            order = torch.randperm(len(self.x), generator=generator).to(self.x.device)
            # not alike: an image left over joins the batch before it, since batch norm cannot train on one alone
            whole = [self.settings.batch * number for number in range(1, self.per_epoch)]
            yield from order.tensor_split(self.per_epoch if self.alike else whole)[i:]

    def drawn(self) -> torch.Generator:
        """For what is drawn at random in the step to come: depends on seed and step alone."""
        return torch.Generator().manual_seed(self.seed * 100_003 + 50_021 + self.done)

    @torch.no_grad()
    def _descend(self, lr: float) -> None:
        # torch's own step without its Optimizer class, whose first use imports torch._dynamo: three seconds
        # in which somebody who pressed the button would see nothing
        named = [(name, p, p.grad) for name, p in self.model.net.named_parameters() if p.grad is not None]
        momenta = [self.momenta.get(name) for name, _, _ in named]
        sgd(
            [p for _, p, _ in named], [grad for _, _, grad in named], momenta, lr=lr, momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay, dampening=0, nesterov=False, maximize=False,
        )  # fmt: skip
        self.momenta = {name: m for (name, _, _), m in zip(named, momenta, strict=True) if m is not None}

    def result(self, best: bool = False) -> Classifier:
        """A copy of the model as it is now, in evaluation mode; ``best``: at the end."""
        return deepcopy(self.model).eval()

    def weights(self) -> dict[str, Tensor]:
        """A copy of the model's weights."""
        return {key: value.detach().clone() for key, value in self.model.net.state_dict().items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Tensors and numbers from which ``restore`` goes on."""
        tensors = {f"model.{k}": v for k, v in self.weights().items()}
        tensors |= {f"momentum.{k}": v.clone() for k, v in self.momenta.items()}
        return tensors, {"done": self.done}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        """Goes back to where ``state`` was taken."""
        self.model.net.load_state_dict(self.part(tensors, "model"))
        self.momenta = self.part(tensors, "momentum")
        self.done = int(numbers["done"])

    def part(self, tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
        """Copies of the tensors of one part of a state, ``<name>.<key>``, by key."""
        start = f"{name}."
        return {k[len(start) :]: v.to(self.x.device, copy=True) for k, v in tensors.items() if k.startswith(start)}


class Tuning(Training):
    """Training with ``TuningSettings``: shifted images, and a rate that falls to 0 along a cosine."""

    settings: TuningSettings

    @property
    def total(self) -> int:
        return self.first + self._loop

    @property
    def _loop(self) -> int:
        return max(self.settings.epochs * self.per_epoch, self.settings.least)

    def learning_rate(self, step: int) -> float:
        return self.settings.lr * 0.5 * (1 + math.cos(math.pi * step / self._loop))

    def _descend(self, lr: float) -> None:
        if self.settings.clip:
            weights = list(self.model.net.parameters())
            clip_grad_norm_(weights, self.settings.clip * float(get_total_norm([p.detach() for p in weights])))
        super()._descend(lr)

    def batch_of(self, chosen: Tensor) -> Tensor:
        """The images ``chosen``, each shifted a little, float (k, 3, h, w)."""
        return shifted(self.x[chosen], self.settings.shift, False, self.drawn())
