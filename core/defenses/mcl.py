"""MCL: model-contrastive learning purifies a backdoored classifier.

Source: arXiv 2205.04411 (ACM MM 2023, DOI 10.1145/3581783.3612415).

``f0`` are the penultimate features of the victim as it came (frozen), ``f`` those of the model being
purified, ``x`` a clean image, ``x_t`` the same image with the reconstructed trigger. Per image

    L = -log( e^{cos(f(x_t), f0(x)) / tau} / ( e^{cos(f(x_t), f0(x)) / tau} + e^{cos(f(x_t), f0(x_t)) / tau} ) )

pulls a triggered image towards its clean twin and pushes it away from where the victim put it. The
preset ``published`` is that loss alone, with the published schedule: no clean images in the batch, so
batch-norm statistics move on triggered images only, and the last linear layer gets no gradient.

The preset ``default`` adds what the published schedule lacks away from its own victim: the clean labels
of x and of x_t, the victim's own soft answers on x as a brake on benign accuracy, an averaged model, and
a learning rate that stays up until the held-out part of the clean budget says that the attack is gone,
then falls to zero along a cosine while BA mends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.sgd import sgd

from core.data.imageset import as_float
from core.errors import BadInput
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers, look


@dataclass(frozen=True)
class MCLSettings:
    """Loss weights and schedule.

    Args:
        contrast: weight of the model-contrastive loss above.
        clean: weight of the cross-entropy of x with its label.
        supervised: weight of the cross-entropy of x_t with the label of x.
        keep: weight of the divergence of the answers on x from the victim's.
        tau: temperature of the contrast.
        lr: learning rates, one for each entry of ``lr_epochs``.
        lr_epochs: epochs from which they hold.
        epochs: passes over the clean budget (at most, where ``mend`` is set).
        mend: with a held-out part: once the attack is gone, the rate falls from ``lr[0]`` to 0 within this many
            steps, and the run ends; 0 for a fixed schedule.
        batch: clean images a step; as many triggered ones go with them.
        momentum, weight_decay: of SGD.
        average: decay per step of the running average of the weights that becomes the result; 0 for none.
        holdout: share of the clean budget kept apart to guard BA and to see the attack go; 0 for none.
        check_every: steps between two looks at the held-out part.
        gone: estimated ASR, percent, at and below which the attack counts as gone.
    """

    contrast: float = 1.0
    clean: float = 1.0
    supervised: float = 1.0
    keep: float = 1.0
    tau: float = 0.5
    lr: tuple[float, ...] = (0.01,)
    lr_epochs: tuple[int, ...] = (0,)
    epochs: int = 8
    mend: int = 60
    batch: int = 64
    momentum: float = 0.9
    weight_decay: float = 1e-4
    average: float = 0.9
    holdout: float = 0.1
    check_every: int = 5
    gone: float = 3.0


PRESETS: dict[str, MCLSettings] = {
    "default": MCLSettings(),
    "published": MCLSettings(
        clean=0.0,
        supervised=0.0,
        keep=0.0,
        lr=(0.1, 0.01, 0.001),
        lr_epochs=(0, 1, 10),
        epochs=20,
        mend=0,
        average=0.0,
        holdout=0.0,
    ),
}


def settings_for(preset: str, data: str = "", **changes: Any) -> MCLSettings:
    """The settings of a preset with single values changed.

    ``published`` knows the schedule its authors used on GTSRB.

    Raises:
        BadInput: no such preset or setting, or a value the setting cannot have.
    """
    if preset not in PRESETS:
        allowed = ", ".join(PRESETS)
        raise BadInput(
            "unknown_preset",
            f"There is no preset called {preset!r}; use one of {allowed}.",
            preset=preset,
            allowed=allowed,
        )
    settings = PRESETS[preset]
    if preset == "published" and data == "gtsrb":
        settings = replace(settings, lr=(0.01, 0.001, 0.0001), lr_epochs=(0, 2, 10))
    for name, value in changes.items():
        settings = replace(settings, **{name: _checked(name, value)})
    if len(settings.lr) != len(settings.lr_epochs):
        raise BadInput(
            "lr_epochs",
            f"There are {len(settings.lr)} learning rates and {len(settings.lr_epochs)} epochs from which they hold; "
            "give as many of one as of the other.",
            rates=len(settings.lr), epochs=len(settings.lr_epochs),
        )  # fmt: skip
    if settings.lr_epochs[0] != 0 or list(settings.lr_epochs) != sorted(settings.lr_epochs):
        raise BadInput(
            "bad_setting",
            f"The setting lr_epochs must begin with 0 and rise, which {settings.lr_epochs} does not.",
            name="lr_epochs", value=str(settings.lr_epochs),
        )  # fmt: skip
    return settings


ABOVE_0 = ("tau", "batch", "epochs", "check_every")
BELOW_1 = ("momentum", "average", "holdout")


def _checked(name: str, value: Any) -> Any:
    """A setting's new value in the type it has to have."""
    names = [f.name for f in fields(MCLSettings)]
    if name not in names:
        allowed = ", ".join(names)
        raise BadInput("unknown_setting", f"MCL has no setting {name!r}; it has {allowed}.", name=name, allowed=allowed)
    now = getattr(PRESETS["default"], name)
    several = isinstance(now, tuple)
    kind = type(now[0] if several else now)
    parts = list(value) if isinstance(value, (list, tuple)) else [value]
    if (
        not parts
        or (len(parts) > 1 and not several)
        or not all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in parts)
        or not all(math.isfinite(part) and part >= 0 and part == kind(part) for part in parts)
        or (name in ABOVE_0 and min(parts) == 0)
        or (name in BELOW_1 and max(parts) >= 1)
    ):
        whole = "whole " if kind is int else ""
        what = f"{whole}numbers" if several else f"one {whole}number"
        least = "above 0" if name in ABOVE_0 else "of 0 or more"
        most = " and below 1" if name in BELOW_1 else ""
        raise BadInput(
            "bad_setting", f"The setting {name} must be {what} {least}{most}, not {value!r}.",
            name=name, value=str(value),
        )  # fmt: skip
    return tuple(kind(part) for part in parts) if several else kind(parts[0])


def contrast(triggered: Tensor, clean0: Tensor, triggered0: Tensor, tau: float) -> Tensor:
    """The model-contrastive loss (paper, equation of the purification step), mean over the batch.

    Args:
        triggered: f(x_t), (n, d). clean0: f0(x), (n, d). triggered0: f0(x_t), (n, d).
        tau: temperature, above 0.
    """
    positive = F.cosine_similarity(triggered, clean0) / tau
    negative = F.cosine_similarity(triggered, triggered0) / tau
    # -log(e^p / (e^p + e^n)) = softplus(n - p), which cannot overflow
    return F.softplus(negative - positive).mean()


@dataclass(frozen=True)
class PurifyStep:
    """One step done. ``losses``: unweighted terms. ``check``: (BA, estimated ASR) in percent on the held-out part."""

    step: int
    total: int
    lr: float
    losses: dict[str, float] = field(default_factory=dict)
    check: tuple[float, float] | None = None


class Purifier:
    """Purifies a copy of the victim, step by step.

    Args:
        victim: the backdoored model; not changed.
        images: clean budget, uint8, shape (n, 3, h, w).
        labels: their classes, int64, shape (n,).
        trigger: puts the reconstructed trigger into float images.
        target: the class the trigger leads to.
        settings: see ``MCLSettings``.
        seed: of the order; the same on a CPU gives the same model.

    Attributes:
        model: the model being purified, in training mode between steps only inside ``steps``.
    """

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        trigger: Callable[[Tensor], Tensor],
        target: int,
        settings: MCLSettings,
        seed: int = 0,
    ) -> None:
        device = victim.mean.device
        self.settings, self.seed, self.target, self.trigger = settings, seed, target, trigger
        self.model = deepcopy(victim)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        held = min(round(settings.holdout * len(images)), len(images) - 1)
        if bool((labels[order[:held]] == target).all()):
            held = 0  # images of the target class alone, in a tiny budget, say nothing about the attack
        self.held = (images[order[:held]].to(device), labels[order[:held]].to(device))
        images, labels = images[order[held:]], labels[order[held:]]
        # the budget is small: both versions of it and what the victim makes of them are taken once
        self.x, self.y = as_float(images.to(device)), labels.to(device)
        self.clean0, self.logits0 = look(victim, self.x)
        self.x_t = torch.cat([trigger(part) for part in self.x.split(512)])
        self.triggered0 = look(victim, self.x_t)[0]
        self.per_epoch = max(1, math.ceil((len(self.x) - 1) / settings.batch))
        self.most = settings.epochs * self.per_epoch
        if settings.mend:
            # a small budget has few steps an epoch; the attack needs some twenty whatever the budget
            self.most = max(self.most, 40 + settings.mend)
        self.mending_from: int | None = None
        self.momenta: dict[str, Tensor] = {}
        self.done = 0
        self.averaged = self._weights()
        self.best, self.best_score = self._weights(), -math.inf
        self.victim_ba = self._check(self.model)[0] if held else math.nan

    def _weights(self) -> dict[str, Tensor]:
        return {key: value.detach().clone() for key, value in self.model.net.state_dict().items()}

    @property
    def total(self) -> int:
        """Steps in all, as far as is known now; falls once the attack is gone and mending begins."""
        if not self.settings.mend:
            return self.most
        start = self.most - self.settings.mend if self.mending_from is None else self.mending_from
        return min(self.most, start + self.settings.mend)

    def learning_rate(self, step: int) -> float:
        """Of a step, counted from 0."""
        settings = self.settings
        if not settings.mend:
            epoch = step // self.per_epoch
            return [rate for rate, start in zip(settings.lr, settings.lr_epochs, strict=True) if start <= epoch][-1]
        warm = min(1.0, (step + 1) / 5)
        mended = max(0, step - (self.total - settings.mend)) / settings.mend
        return settings.lr[0] * warm * 0.5 * (1 + math.cos(math.pi * mended))

    def _batches(self) -> Iterator[Tensor]:
        """Index batches from the next step on; each epoch's order depends on seed and epoch alone, so it resumes."""
        while True:
            epoch, i = divmod(self.done, self.per_epoch)
            generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            order = torch.randperm(len(self.x), generator=generator).to(self.x.device)
            for number in range(i, self.per_epoch):
                # an image left over joins the batch before it: batch norm cannot train on one alone
                end = (number + 1) * self.settings.batch if number < self.per_epoch - 1 else None
                yield order[number * self.settings.batch : end]

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        """The unweighted loss terms on the images ``chosen``; terms of weight 0 are not computed."""
        settings = self.settings
        x, y = self.x[chosen], self.y[chosen]
        x_t = self.x_t[chosen]
        with_clean = settings.clean > 0 or settings.keep > 0
        batch = torch.cat([x_t, x]) if with_clean else x_t
        features, logits = self.model.features_and_logits(batch.contiguous(memory_format=torch.channels_last))
        n = len(x)
        terms = {"contrast": contrast(features[:n], self.clean0[chosen], self.triggered0[chosen], settings.tau)}
        if settings.supervised > 0:
            terms["supervised"] = F.cross_entropy(logits[:n], y)
        if settings.clean > 0:
            terms["clean"] = F.cross_entropy(logits[n:], y)
        if settings.keep > 0:
            before = self.logits0[chosen].log_softmax(1)
            terms["keep"] = F.kl_div(logits[n:].log_softmax(1), before, log_target=True, reduction="batchmean")
        return terms

    def steps(self) -> Iterator[PurifyStep]:
        """Trains; yields after every step. Stopping early, or never resuming the iterator, keeps what was reached."""
        settings = self.settings
        batches = self._batches()
        while self.done < self.total:
            lr = self.learning_rate(self.done)
            self.model.train()
            terms = self.losses(next(batches))
            loss = torch.stack([getattr(settings, name) * term for name, term in terms.items()]).sum()
            self.model.zero_grad(set_to_none=True)
            loss.backward()
            self._descend(lr)
            self.model.eval()
            self.done += 1
            self._average()
            check = None
            if len(self.held[0]) and (self.done % settings.check_every == 0 or self.done == self.total):
                check = self._judge()
            yield PurifyStep(self.done, self.total, lr, {k: float(v.detach()) for k, v in terms.items()}, check)

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

    def _average(self) -> None:
        decay = min(self.settings.average, (self.done - 1) / (self.done + 4))  # short memory at first
        for key, value in self.model.net.state_dict().items():
            kept = self.averaged[key]
            if value.is_floating_point() and self.settings.average > 0:
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    def _check(self, model: Classifier) -> tuple[float, float]:
        x, y = self.held
        clean, attacked = answers(model, x), answers(model, x, self.trigger)
        return benign_accuracy(clean, y), attack_success_rate(attacked, y, self.target)

    def _judge(self) -> tuple[float, float]:
        """Looks at the held-out part: has the attack gone, and is this the state to keep?"""
        ba, asr = self._check(self.result())
        if self.mending_from is None and asr <= self.settings.gone:
            self.mending_from = self.done
        if self.mending_from is not None and 2 * (self.done - self.mending_from) < self.settings.mend:
            return ba, asr  # just gone: the reconstructed trigger fails before the real one does
        # The held-out part is small, so a later state gives way to an earlier one only if its BA is worse by
        # more than chance explains: the gain that counts is one standard error of the victim's BA.
        score = ba - 2 * max(0.0, asr - self.settings.gone)
        share = self.victim_ba / 100
        error = 100 * math.sqrt(max(share * (1 - share), 0.01) / len(self.held[0]))
        if score >= self.best_score - error:
            self.best, self.best_score = {k: v.clone() for k, v in self.averaged.items()}, max(score, self.best_score)
        return ba, asr

    def result(self, best: bool = False) -> Classifier:
        """A copy of the purified model: the running average now, or the best of those checked."""
        model = deepcopy(self.model)
        model.net.load_state_dict(self.best if best and self.best_score > -math.inf else self.averaged)
        return model.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Tensors and numbers from which ``restore`` goes on."""
        tensors = {f"model.{k}": v for k, v in self._weights().items()}
        tensors |= {f"averaged.{k}": v.clone() for k, v in self.averaged.items()}
        tensors |= {f"best.{k}": v.clone() for k, v in self.best.items()}
        tensors |= {f"momentum.{k}": v.clone() for k, v in self.momenta.items()}
        score = self.best_score if math.isfinite(self.best_score) else -1e9
        mending = -1 if self.mending_from is None else self.mending_from
        return tensors, {"done": self.done, "best_score": score, "mending_from": mending}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        """Goes back to where ``state`` was taken."""

        def part(name: str) -> dict[str, Tensor]:
            start = f"{name}."
            return {k[len(start) :]: v.to(self.x.device, copy=True) for k, v in tensors.items() if k.startswith(start)}

        self.model.net.load_state_dict(part("model"))
        self.averaged, self.best = part("averaged"), part("best")
        self.done = int(numbers["done"])
        self.mending_from = None if numbers["mending_from"] < 0 else int(numbers["mending_from"])
        self.best_score = -math.inf if numbers["best_score"] <= -1e9 else numbers["best_score"]
        self.momenta = part("momentum")
