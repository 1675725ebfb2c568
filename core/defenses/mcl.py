"""MCL: model-contrastive learning purifies a backdoored classifier.

Source: arXiv 2205.04411 (ACM MM 2023, DOI 10.1145/3581783.3612415).

``f0`` are the penultimate features of the victim as it came (frozen), ``f`` those of the model being
purified, ``x`` a clean image, ``x_t`` the same image with the reconstructed trigger. Per image

    L = -log( e^{cos(f(x_t), f0(x)) / tau} / ( e^{cos(f(x_t), f0(x)) / tau} + e^{cos(f(x_t), f0(x_t)) / tau} ) )

pulls a triggered image towards its clean twin and pushes it away from where the victim put it. The
preset ``published`` is that loss alone, with the published schedule: no clean images in the batch, so
batch-norm statistics move on triggered images only, and the last linear layer gets no gradient.

The preset ``default`` adds what the published schedule lacks away from its own victim: several reconstructed
triggers at once, each from several starts (``core.inversion.again``), drawn image by image; the clean labels of x and
of x_t, the latter with a margin against the target; the victim's own soft answers on x as a brake on benign accuracy;
an averaged model; and a learning rate that stays up until the held-out part of the clean budget says that the attack is
gone, then falls to zero along a cosine while BA mends. The result is a small step back towards the victim, with
batch-norm statistics taken anew on clean images: in training they see triggered ones, and averaged weights have none of
their own. Where clean images are few, mending takes longer, and, unless the trigger is in doubt, a share of them comes
mixed in pairs (``core.defenses.mixing``): so the victim is asked for more answers than there are images.

Where the scan shows no sign (triggers of push 0), what it reconstructed is nobody's trigger. The preset then takes
random stamps (``core.stamps``) in its place, more of the kinds that turn many images to one class. Where the signs are
doubtful (push above 1), it may be another class's trigger or a poor copy, and each image comes once with a stamp and
once with a trigger. Either goes on for a fixed number of steps, since the end of the attack cannot be seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.batchnorm import batch_normed, normalised, take_anew
from core.defenses.mixing import mixed
from core.defenses.settings import PLENTY, MCLSettings
from core.defenses.training import Aimed, Check, Training
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers, look
from core.models.fold import folded
from core.stamps import KINDS, shares, stamped, turned


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


def _lead(ahead: Tensor, labels: Tensor, margins: Tensor, classes: int) -> Tensor:
    """(n, classes): ``margins`` (n,) at the classes ``ahead`` (n,), but 0 where that is the image's own class."""
    return F.one_hot(ahead, classes) * (margins * (ahead != labels))[:, None]


STEPS_BACK = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # shares of the victim that are tried where BA does not hold
BLIND = 0.5  # the longest of them where no trigger says whether the attack is back
FEW = {"clean": 0.1, "keep": 5.0}  # times its weight a term has where there are next to none
SURE_KEEP = 1.5  # and `keep` at least so many times where no trigger is in doubt: ASR is low there, BA at risk
UNBATCHED_FEW = 0.5  # without batch norm labels are learnt by heart sooner, as if images were at least so few
FEW_MEND = 2.0  # how much longer mending is there, times its steps
QUICK = 256  # clean images that batch-norm statistics are taken from for a look; the result takes more
UNMENDED = 40  # steps there are at least before the mending, if the attack does not go
MOST = 4000  # clean images that the result's are taken from
WATCHED = 500  # clean images that show which kinds of stamps turn them


class Purifier(Training):
    """Purifies a copy of the victim, step by step.

    Args:
        victim: the backdoored model; not changed.
        images: clean budget, uint8, shape (n, 3, h, w).
        labels: their classes, int64, shape (n,).
        triggers: the reconstructed triggers, at least one; each triggered image carries one of them. Those that repeat
            another (``again``) are trained against and not looked at to see the attack go.
        settings: see ``MCLSettings``.
        seed: of the order; the same on a CPU gives the same model.

    Raises:
        ValueError: no trigger.
    """

    settings: MCLSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[Aimed],
        settings: MCLSettings,
        seed: int = 0,
    ) -> None:
        device = victim.mean.device
        self.known = tuple(trigger for trigger in triggers if not trigger.again)[: settings.triggers]
        if not self.known:
            raise ValueError("MCL needs at least one reconstructed trigger")
        self.triggers = (*self.known, *(trigger for trigger in triggers if trigger.again))
        self.targets = torch.tensor([trigger.target for trigger in self.triggers], device=device)
        push = torch.tensor([trigger.push for trigger in self.triggers], device=device)
        self.sure = bool((push == 1).all())
        self.victim = folded(victim)  # once: it is asked at every step
        if settings.stamps > 0 and bool((push != 1).any()):
            self.stamps = "beside" if bool(push.any()) else "alone"
            self.kinds = shares(turned(victim, images[:WATCHED], KINDS, seed))
        self.few = 1 - min(1.0, len(images) / (victim.num_classes * PLENTY))
        longer, self.rate = max(1 + FEW_MEND * self.few, 2 if self.stamps else 1), 1.0
        if not batch_normed(victim):
            self.rate = 1.0 if normalised(victim) else settings.plain
            longer = 1 + FEW_MEND if normalised(victim) else longer
            self.few = max(self.few, UNBATCHED_FEW) if settings.mix else self.few
        self.mend = round(settings.mend * longer)
        self.alike = bool(settings.alike)
        self.margins = settings.margin * push
        self.original = {key: value.detach() for key, value in victim.net.state_dict().items()}
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        # without a trigger that is sure there is no attack whose end one could see on a part held out
        held = 0 if self.stamps else min(round(settings.holdout * len(images)), len(images) - 1)
        if any(bool((labels[order[:held]] == target).all()) for target in self.targets.tolist()):
            held = 0  # images of the target class alone, in a tiny budget, say nothing about the attack
        self.held = (images[order[:held]].to(device), labels[order[:held]].to(device))
        super().__init__(victim, images[order[held:]], labels[order[held:]], settings, seed)
        self.clean0, self.logits0 = look(victim, self.x)
        self.labels = F.one_hot(self.y, victim.num_classes).to(self.x.dtype)
        self.most = settings.epochs * self.per_epoch
        if self.mend:
            # a small budget has few steps an epoch; the attack needs some twenty whatever the budget
            longest = 0 if self.stamps else self.most + self.mend - settings.mend
            self.most = max(longest, UNMENDED + self.mend)
        # what the victim makes of an image with a trigger is taken beforehand where that is less work than as it comes
        steps = min(self.most, UNMENDED + self.mend) if self.mend else self.most
        few = len(self.x) * len(self.triggers) <= steps * settings.batch
        self.triggered0: Tensor | None = None
        if few and self.stamps != "alone":
            self.triggered0 = torch.stack([look(victim, self.x, trigger)[0] for trigger in self.triggers])
        self.mending_from: int | None = None
        self.averaged = self.weights()
        self.best, self.best_score = self.weights(), -math.inf
        self.victim_ba = self._check(self.model).ba if held else math.nan

    @property
    def total(self) -> int:
        """Steps in all, as far as is known now; falls once the attack is gone and mending begins."""
        if not self.mend:
            return self.most
        start = self.most - self.mend if self.mending_from is None else self.mending_from
        return min(self.most, start + self.mend)

    def learning_rate(self, step: int) -> float:
        """Of a step, counted from 0."""
        settings = self.settings
        if not self.mend:
            epoch = step // self.per_epoch
            rates = zip(settings.lr, settings.lr_epochs, strict=True)
            return self.rate * [rate for rate, start in rates if start <= epoch][-1]
        warm = min(1.0, (step + 1) / 5)
        mended = max(0, step - (self.total - self.mend)) / self.mend
        return self.rate * settings.lr[0] * warm * 0.5 * (1 + math.cos(math.pi * mended))

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        """The unweighted loss terms on the images ``chosen``; terms of weight 0 are not computed."""
        settings = self.settings
        x, y = self.x[chosen], self.y[chosen]
        kinds = [] if self.stamps == "alone" else [self._triggered(chosen)]
        if self.stamps:
            kinds.append(self._stamped(x, y))
        x_t, triggered0, lead = (torch.cat(part) for part in zip(*kinds, strict=True))
        # one pass for all: batch norm has to see clean images among the triggered ones
        with_clean = settings.clean > 0 or settings.keep > 0
        images, labels, logits0 = self._clean(chosen) if with_clean else (x[:0], self.labels[:0], self.logits0[:0])
        batch = torch.cat([x_t, images])
        features, logits = self.model.features_and_logits(batch.contiguous(memory_format=torch.channels_last))
        n, many = len(x_t), len(kinds)  # each kind counts in full
        clean0 = self.clean0[chosen].repeat(many, 1)
        terms = {"contrast": many * contrast(features[:n], clean0, triggered0, settings.tau)}
        if settings.supervised > 0:
            terms["supervised"] = many * F.cross_entropy(logits[:n] + lead, y.repeat(many))
        if settings.clean > 0:
            terms["clean"] = F.cross_entropy(logits[n:], labels)
        if settings.keep > 0:
            before, now = logits0.log_softmax(1), logits[n:].log_softmax(1)
            terms["keep"] = F.kl_div(now, before, log_target=True, reduction="batchmean")
        return terms

    def weight(self, term: str) -> float:
        """The fewer labels there are, the less is left to them, and the more to the victim's own answers."""
        times = 1 + (FEW.get(term, 1.0) - 1) * self.few
        return super().weight(term) * (max(times, SURE_KEEP) if term == "keep" and self.sure else times)

    def _clean(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clean images, the more of them mixed the fewer there are; labels (k, classes); what the victim answers."""
        x, labels, logits0 = self.x[chosen], self.labels[chosen], self.logits0[chosen]
        # what a trigger in doubt misses, the mixtures would spare
        pairs = 0 if self.stamps == "beside" else round(self.few * len(chosen))
        if not (pairs and self.settings.mix):
            return x, labels, logits0
        x_m, labels_m = mixed(x[:pairs], labels[:pairs], self.x, self.labels, self.drawn())
        parts = (x_m, x), (labels_m, labels), (look(self.victim, x_m)[1], logits0)
        x, labels, logits0 = (torch.cat([first, rest[pairs:]]) for first, rest in parts)
        return x, labels, logits0

    def _triggered(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each image with one of the triggers, f0 of it, and what its target is ahead by in the cross-entropy.

        Which one depends on seed and step alone.
        """
        x = self.x[chosen]
        which = torch.randint(len(self.triggers), (len(x),), generator=self.drawn()).to(x.device)
        every = torch.stack([trigger(x) for trigger in self.triggers])
        lead = _lead(self.targets[which], self.y[chosen], self.margins[which], self.model.num_classes)
        x_t = every[which, torch.arange(len(x), device=x.device)]
        triggered0 = look(self.victim, x_t)[0] if self.triggered0 is None else self.triggered0[which, chosen]
        return x_t, triggered0, lead

    def _stamped(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same with random stamps: ahead is the class that the victim gives the image instead of its own."""
        x_t = stamped(x, self.drawn(), self.kinds)
        features0, logits0 = look(self.victim, x_t)
        margins = torch.full(y.shape, self.settings.stamps, device=y.device)
        return x_t, features0, _lead(logits0.argmax(1), y, margins, self.model.num_classes)

    def after_step(self) -> Check | None:
        self._average()
        if not len(self.held[0]) or (self.done % self.settings.check_every and self.done != self.total):
            return None
        if self.mending_from is not None and 2 * (self.done - self.mending_from) < self.mend:
            return None  # just gone: the reconstructed trigger fails before the real one does
        return self._judge()

    def _average(self) -> None:
        decay = min(self.settings.average, (self.done - 1) / (self.done + 4))  # short memory at first
        for key, value in self.model.net.state_dict().items():
            kept = self.averaged[key]
            if value.is_floating_point() and self.settings.average > 0:
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    def _check(self, model: Classifier) -> Check:
        x, y = self.held if len(self.held[0]) else (self.x, self.y)
        rates = [attack_success_rate(answers(model, x, trigger), y, trigger.target) for trigger in self.known]
        return Check(benign_accuracy(answers(model, x), y), max(rates))

    def _judge(self) -> Check:
        """Looks at the held-out part: has the attack gone, and is this the state to keep?"""
        if self.mending_from is None:
            check = self._check(self.result())
            if check.asr <= self.settings.gone:
                self.mending_from = self.done
            return check
        check = self._check(self._stepped_back(self.averaged, self.settings.back, QUICK))
        # The held-out part is small, so a later state gives way to an earlier one only if its BA is worse by
        # more than chance explains: the gain that counts is one standard error of the victim's BA.
        score = check.ba - 2 * max(0.0, check.asr - self.settings.gone)
        if score >= self.best_score - self._error():
            self.best, self.best_score = {k: v.clone() for k, v in self.averaged.items()}, max(score, self.best_score)
        return check

    def _error(self) -> float:
        """Standard error of the victim's BA on the held-out part, percentage points."""
        share = self.victim_ba / 100
        return 100 * math.sqrt(max(share * (1 - share), 0.01) / len(self.held[0]))

    def _stepped_back(self, weights: dict[str, Tensor], back: float, clean: int) -> Classifier:
        """The model with these weights, a share ``back`` of the victim's in them, and statistics of clean images."""
        model = deepcopy(self.model)
        model.net.load_state_dict(
            {
                key: value.lerp(self.original[key], back) if back and value.is_floating_point() else value
                for key, value in weights.items()
            }
        )
        model.eval()
        if self.settings.clean > 0:
            take_anew(model, self.x[:clean])
        return model

    def result(self, best: bool = False) -> Classifier:
        """A copy of the purified model: the running average now, or, at the end, the best of those checked.

        The best is a step back towards the victim, as long as ``settings.back``.
        """
        if not best:
            return self._stepped_back(self.averaged, 0.0, QUICK)
        return self._stepped_back(self._chosen, self.settings.back, MOST)

    @property
    def _chosen(self) -> dict[str, Tensor]:
        return self.best if self.best_score > -math.inf else self.averaged

    def nearer(self) -> Iterator[tuple[float, Classifier]]:
        """Longer and longer steps back, as long as the attack stays gone on the held-out part (or, without one, on
        the images of the training); where no trigger is known, all of those up to half of the way."""
        most = max(self.settings.gone, self._check(self.result(best=True)).asr)
        blind = self.stamps == "alone"
        for back in (back for back in STEPS_BACK if self.settings.back < back <= (BLIND if blind else 1)):
            model = self._stepped_back(self._chosen, back, MOST)
            if not blind and self._check(model).asr > most:
                return
            yield back, model

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        tensors |= {f"averaged.{k}": v.clone() for k, v in self.averaged.items()}
        tensors |= {f"best.{k}": v.clone() for k, v in self.best.items()}
        score = self.best_score if math.isfinite(self.best_score) else -1e9
        mending = -1 if self.mending_from is None else self.mending_from
        return tensors, numbers | {"best_score": score, "mending_from": mending}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        self.averaged, self.best = self.part(tensors, "averaged"), self.part(tensors, "best")
        self.mending_from = None if numbers["mending_from"] < 0 else int(numbers["mending_from"])
        self.best_score = -math.inf if numbers["best_score"] <= -1e9 else numbers["best_score"]
