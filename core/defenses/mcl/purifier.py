"""MCL's default: the contrast, and what makes it hold on networks it was not tuned on.

Named parts, each of which a setting switches off (``core.defenses.mcl.settings``; NOTES.md says what each is worth):

- *contrast*: the published loss against several reconstructed triggers, each from several starts;
- *supervised*: the clean labels of triggered images, with a margin against the target;
- *clean*: the labels of clean images;
- *keep*: the victim's own answers on clean images and on mixed pairs of them, which hold benign accuracy. On an image
  that is not of a target class the target's share is taken out of those answers: so they hold no part of the backdoor;
- *found*: images with the real trigger, where somebody found some, beside those with reconstructed ones;
- *stamps*: random stamps in place of triggers, or beside them, where the scan shows none to trust;
- *rounds*: once the attack seems gone, the triggers that still work on victim and model together are reconstructed, and
  trained against as well;
- *average*: the result is a running average of the weights.

The rate stays up until the held-out part of the clean budget says that the attack is gone, and no round finds more;
then it is annealed to zero along a cosine while BA mends. Batch-norm statistics of a result are taken anew on clean
images: in training they see triggered ones, and averaged weights have none of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.mcl.contrast import contrast
from core.defenses.mcl.found import FoundImages
from core.defenses.mcl.held_out import HeldOut
from core.defenses.mcl.mixing import mixed
from core.defenses.mcl.plan import Normalisation, plan
from core.defenses.mcl.rounds import still_working
from core.defenses.mcl.settings import MCLSettings
from core.models.classifier import Classifier
from core.models.evaluate import look
from core.models.fold import folded
from core.training.batchnorm import batch_normed, normalised, take_anew
from core.training.loop import Check, Training
from core.training.rate import bearable
from core.triggers.reconstructed import Reconstructed
from core.triggers.stamps import KINDS, shares, stamped, turned

LEAST_STEPS = 40  # before the annealing, if the attack does not go
STAMPED_STEPS = 80  # before the annealing, where no trigger says when the attack goes
FIRST = 64  # images whose gradient the learning rate is found with
LOOK, RESULT = 256, 4000  # clean images that batch-norm statistics are taken from: for a look, for the result
WATCHED = 500  # clean images that show which kinds of stamps turn them


class Purifier(Training):
    """Purifies a copy of the victim, step by step.

    Args:
        victim: the backdoored model; not changed.
        images: clean budget, uint8, shape (n, 3, h, w).
        labels: their classes, int64, shape (n,).
        triggers: the reconstructed triggers, at least one; each triggered image carries one of them.
        settings: see ``MCLSettings``.
        seed: of the order; the same on a CPU gives the same model.
        found: images that carry the real trigger, uint8, shape (k, 3, h, w), as a filter of the data room finds them;
            they are trained on beside the others (``core.defenses.mcl.found``).

    Raises:
        ValueError: no trigger.
    """

    settings: MCLSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[Reconstructed],
        settings: MCLSettings,
        seed: int = 0,
        found: Tensor | None = None,
    ) -> None:
        if not triggers:
            raise ValueError("MCL needs at least one reconstructed trigger")
        self.victim, self.triggers = folded(victim), list(triggers)
        self.target, self.given = triggers[0].target, len(triggers)
        confidence = triggers[0].confidence
        self.plan = plan(settings, len(images) / victim.num_classes, normalisation(victim), confidence)
        if self.plan.stamps:
            self.stamps = "beside" if self.plan.triggers else "alone"
            self.kinds = shares(turned(victim, images[:WATCHED], KINDS, seed))
        device = victim.mean.device
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        held = self._held(labels[order], settings)
        self.held = HeldOut(images[order[:held]].to(device), labels[order[:held]].to(device), settings.gone)
        super().__init__(victim, images[order[held:]], labels[order[held:]], settings, seed)
        self.clean0, self.logits0 = look(victim, self.x)
        real = images[:0] if found is None else found
        self.found = FoundImages(real, victim, self.target, self.clean0, self.y)
        self.labels = F.one_hot(self.y, victim.num_classes).to(self.x.dtype)
        self.longest = STAMPED_STEPS if self.plan.stamps else max(settings.epochs * self.per_epoch, LEAST_STEPS)
        self.annealing_from: int | None = None
        self.rounds = 0
        self.averaged = self.weights()
        self.best = self.weights()
        if held:
            self.held.measure(victim)
        first = torch.arange(min(FIRST, len(self.x)), device=device)
        self.model.train()
        self.rate = bearable(self.model, lambda: self._loss(first), self.x, self.plan.lr, settings.moved)

    def _held(self, labels: Tensor, settings: MCLSettings) -> int:
        """How many images are held out: none where no trigger says whether the attack has gone."""
        if self.plan.stamps:
            return 0
        held = min(round(settings.holdout * len(labels)), len(labels) - 1)
        # images of the target class alone, in a tiny budget, say nothing about the attack
        return 0 if bool((labels[:held] == self.target).all()) else held

    @property
    def total(self) -> int:
        """Steps in all, as far as is known now; falls once the attack is gone and the annealing begins."""
        return (self.longest if self.annealing_from is None else self.annealing_from) + self.plan.anneal

    def learning_rate(self, step: int) -> float:
        """Of a step, counted from 0."""
        warm = min(1.0, (step + 1) / 5)
        annealed = max(0, step - (self.total - self.plan.anneal)) / self.plan.anneal
        return self.rate * warm * 0.5 * (1 + math.cos(math.pi * annealed))

    def weight(self, term: str) -> float:
        return {"clean": self.plan.clean, "keep": self.plan.keep}.get(term) or super().weight(term)

    # the loss

    def _loss(self, chosen: Tensor) -> Tensor:
        return torch.stack([self.weight(name) * term for name, term in self.losses(chosen).items()]).sum()

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        """The unweighted loss terms on the images ``chosen``; terms of weight 0 are not computed."""
        kinds = ([self._triggered(chosen)] if self.plan.triggers else []) + (
            [self._stamped(chosen)] if self.plan.stamps else []
        )
        x_t, triggered0, ahead = (torch.cat(part) for part in zip(*kinds, strict=True))
        # one pass for all: batch norm has to see clean images among the triggered ones
        x, labels, answers0 = self._clean(chosen)
        real = self.found.drawn(len(chosen), self.drawn())
        batch = torch.cat([x_t, x, self.found.images[real]]).contiguous(memory_format=torch.channels_last)
        features, logits = self.model.features_and_logits(batch)
        n, many = len(x_t), len(kinds)  # each kind counts in full
        ends = (n, n + len(x))
        clean0 = self.clean0[chosen].repeat(many, 1)
        terms = {"contrast": many * contrast(features[:n], clean0, triggered0, self.settings.tau)}
        if self.settings.supervised > 0:
            terms["supervised"] = many * F.cross_entropy(logits[:n] + ahead, self.y[chosen].repeat(many))
        if self.settings.clean > 0:
            terms["clean"] = F.cross_entropy(logits[slice(*ends)], labels)
        if self.settings.keep > 0:
            kept = logits[slice(*ends)].log_softmax(1)
            terms["keep"] = F.kl_div(kept, answers0, log_target=True, reduction="batchmean")
        if len(real):
            rest = features[ends[1] :], logits[ends[1] :]
            apart, own = self.found.losses(real, *rest, self.settings.tau, self.plan.margin)
            terms["contrast"] = terms["contrast"] + apart
            if "supervised" in terms:
                terms["supervised"] = terms["supervised"] + own
        return terms

    def _clean(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clean images, a share of them mixed; labels (k, classes); and the victim's answers, log-probabilities."""
        x, labels, logits0 = self.x[chosen], self.labels[chosen], self.logits0[chosen]
        pairs = round(self.plan.mixed * len(chosen))
        if pairs:
            x_m, labels_m = mixed(x[:pairs], labels[:pairs], self.x, self.labels, self.drawn())
            parts = (x_m, x), (labels_m, labels), (look(self.victim, x_m)[1], logits0)
            x, labels, logits0 = (torch.cat([first, rest[pairs:]]) for first, rest in parts)
        return x, labels, self._without_targets(logits0, labels).log_softmax(1)

    def _without_targets(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The victim's logits (k, classes), the target not ahead of all others on an image that is not of it."""
        if not self.plan.triggers:
            return logits
        logits, others = logits.clone(), logits.clone()
        others[:, self.target] = -math.inf
        away = labels[:, self.target] == 0
        logits[away, self.target] = torch.minimum(logits[away, self.target], others[away].amax(1))
        return logits

    def _triggered(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each image with one of the triggers, f0 of it, and what its target is ahead by in the cross-entropy.

        Which one depends on seed and step alone.
        """
        x = self.x[chosen]
        which = torch.randint(len(self.triggers), (len(x),), generator=self.drawn()).to(x.device)
        x_t = torch.empty_like(x)
        for number in which.unique().tolist():
            x_t[which == number] = self.triggers[number](x[which == number])
        return (
            x_t,
            look(self.victim, x_t)[0],
            self._ahead(torch.full_like(which, self.target), chosen, self.plan.margin),
        )

    def _stamped(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same with random stamps: ahead is the class that the victim gives the image instead of its own."""
        x_t = stamped(self.x[chosen], self.drawn(), self.kinds)
        features0, logits0 = look(self.victim, x_t)
        return x_t, features0, self._ahead(logits0.argmax(1), chosen, self.settings.stamps)

    def _ahead(self, classes: Tensor, chosen: Tensor, margin: float) -> Tensor:
        """(k, classes): ``margin`` at ``classes`` (k,), but 0 where that is the image's own class."""
        return F.one_hot(classes, self.model.num_classes) * (margin * (classes != self.y[chosen]))[:, None]

    # the schedule

    def _next_round(self) -> None:
        """Begins the annealing, or, where triggers are found that still work, goes on against these as well."""
        if self.rounds < self.settings.rounds:
            self.rounds += 1
            found = still_working(self.victim, self.result(), self.x, self.triggers, self.seed + 1000 * self.rounds)
            self.triggers += found
            if found:
                return
        self.annealing_from = min(self.done, self.longest)

    def after_step(self) -> Check | None:
        self._average()
        if not len(self.held) or (self.done % self.settings.check_every and self.done != self.total):
            return None
        if self.annealing_from is None:
            check = self.held.check(self.result(), self.triggers)
            if check.asr <= self.settings.gone:
                self._next_round()
            return check
        if 2 * (self.done - self.annealing_from) < self.plan.anneal:
            return None  # the attack has just gone: the reconstructed triggers fail before the real one does
        check = self.held.check(self._with_statistics(self.averaged, LOOK), self.triggers)
        if self.held.better(check):
            self.best = {key: value.clone() for key, value in self.averaged.items()}
        return check

    def _average(self) -> None:
        decay = min(self.settings.average, (self.done - 1) / (self.done + 4))  # short memory at first
        for key, value in self.model.net.state_dict().items():
            kept = self.averaged[key]
            if value.is_floating_point() and self.settings.average > 0:
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    def _with_statistics(self, weights: dict[str, Tensor], clean: int) -> Classifier:
        """The model with these weights and batch-norm statistics of so many clean images."""
        model = deepcopy(self.model)
        model.net.load_state_dict(weights)
        model.eval()
        take_anew(model, self.x[:clean])
        return model

    def result(self, best: bool = False) -> Classifier:
        """A copy of the purified model: the running average now, or, at the end, the best of those checked."""
        if not best:
            return self._with_statistics(self.averaged, LOOK)
        return self._with_statistics(self.best if math.isfinite(self.held.best) else self.averaged, RESULT)

    # resuming

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        tensors |= {f"averaged.{k}": v.clone() for k, v in self.averaged.items()}
        tensors |= {f"best.{k}": v.clone() for k, v in self.best.items()}
        for number, found in enumerate(self.triggers[self.given :]):
            tensors[f"round.{found.form}.{number}.pattern"] = found.pattern
            if found.mask is not None:
                tensors[f"round.{found.form}.{number}.mask"] = found.mask
        best = self.held.best if math.isfinite(self.held.best) else -1e9
        annealing = -1 if self.annealing_from is None else self.annealing_from
        return tensors, numbers | {"best_score": best, "annealing_from": annealing, "rounds": self.rounds}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        self.averaged, self.best = self.part(tensors, "averaged"), self.part(tensors, "best")
        found = self.part(tensors, "round")
        names = sorted({name.rpartition(".")[0] for name in found}, key=lambda name: int(name.partition(".")[2]))
        self.triggers[self.given :] = [
            replace(
                self.triggers[0], form=name.partition(".")[0], pattern=found[f"{name}.pattern"],
                mask=found.get(f"{name}.mask"),
            )
            for name in names
        ]  # fmt: skip
        self.rounds = int(numbers["rounds"])
        self.annealing_from = None if numbers["annealing_from"] < 0 else int(numbers["annealing_from"])
        self.held.best = -math.inf if numbers["best_score"] <= -1e9 else numbers["best_score"]


def normalisation(model: Classifier) -> Normalisation:
    """How the network's layers normalise; one layer is taken for all."""
    return "batch" if batch_normed(model) else "other" if normalised(model) else "none"
