"""MCL's default: the published contrast with further parts that make it hold on networks it was not tuned on.

A step trains on one batch of the clean budget, which contains each image clean and with a trigger. The loss is a
weighted sum of

- *contrast*: the published loss, against all reconstructed triggers (of each suspect: every form, several starts);
- *supervised*: cross-entropy of the triggered images with their true labels, with a margin against their trigger's
  target;
- *keep*: divergence from the victim's answers on clean and mixed images, which preserves BA. Where these answers favour
  a target on images of other classes, its logit is lowered to the next largest, so that they carry no backdoor. Mixed
  pairs of target images are among them, since all triggers push against that class.

Further parts:

- *found images* (``core.defenses.mcl.found_images``): images with the real trigger, if a filter of the data room found
  some;
- *stamps* (``core.triggers.stamps``): random stamps beside doubtful triggers, or in place of those in which there is no
  confidence;
- *rounds* (``core.defenses.mcl.rounds``): as soon as the attack seems gone, triggers that still work are reconstructed
  on victim and model together, and trained against as well.

The learning rate stays up until the held-out part of the clean budget shows that the attack is gone and no round finds
another trigger. Then it is annealed to zero along a cosine, in which BA recovers. The batch-norm statistics of a result
are recomputed on clean images, since the training's include triggered images.

A setting switches each part off (``core.defenses.mcl.settings``), save the found images, which are an argument.
NOTES.md beside this file has what each is worth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.mcl.batches import Attacked, joined, with_stamps, with_triggers, without_targets
from core.defenses.mcl.contrast import contrast
from core.defenses.mcl.found_images import FoundImages
from core.defenses.mcl.held_out import HeldOut
from core.defenses.mcl.mixing import mixed, mixed_within
from core.defenses.mcl.plan import Normalisation, images_by_size, plan
from core.defenses.mcl.rounds import still_working
from core.defenses.mcl.settings import MCLSettings
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.models.fold import folded
from core.training.batchnorm import has_batch_norm, has_normalisation, recompute_statistics
from core.training.loop import Check, Training
from core.training.rate import trust_region_rate
from core.triggers.reconstructed import Reconstructed
from core.triggers.stamps import KINDS, flip_counts, kind_shares

MIN_STEPS = 40  # before the annealing at least, where the checks never show the attack gone
STAMPED_STEPS = 80  # before the annealing, where stamps are used: no trigger is sure enough for checks to rely on
WARM_UP_STEPS = 5  # in which the learning rate rises
LR_IMAGES = 64  # clean images of the first batch, whose gradient sets the learning rate
CHECK_STATISTICS, RESULT_STATISTICS = 256, 4000  # clean images for batch-norm statistics: at a check, at the end
STAMP_IMAGES = 500  # clean images on which each kind of stamps is tried


class Purifier(Training):
    """Purifies a copy of the victim, step by step.

    Args:
        victim: the backdoored model; not changed.
        images: clean budget, uint8, shape (n, 3, h, w).
        labels: their classes, int64, shape (n,).
        triggers: reconstructed triggers, at least one; of several targets if the network may have several backdoors.
            Each triggered image carries one of them.
        settings: see ``MCLSettings``.
        seed: of everything random; the same seed on a CPU gives the same model.
        found: images that carry the real trigger towards the target of the first of ``triggers``, uint8, shape
            (k, 3, h, w), as a filter of the data room finds them.

    Attributes:
        victim: a copy of the victim with the same answers, in which batch norm is folded, since it answers at every
            step (``core.models.fold``).
        plan: the settings, adapted to network, images, budget and triggers.
        pixels: of an image, as the network takes it.
        triggers: those of the scan, then those of the rounds; ``scanned_triggers`` is the number of the former.
        targets: the target classes of the triggers, each once.
        clean0, logits0: f0(x) and the victim's logits of the clean images.
        peak_lr: the highest learning rate.
        annealing_from: the step from which the learning rate falls; None while the attack is not gone.
        annealing_at_latest: the step from which it falls even if the attack is not gone.
        rounds: rounds made.
        best_weights: those of the best check in the annealing; None before it.

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
        self.targets = tuple(dict.fromkeys(trigger.target for trigger in triggers))
        self.scanned_triggers = len(triggers)
        confidence = triggers[0].confidence
        self.pixels = math.prod(victim.size or images.shape[-2:])
        self.plan = plan(settings, len(images) / victim.num_classes, normalisation(victim), confidence, self.pixels)
        settings = replace(settings, batch=self.plan.batch)
        if self.plan.stamps:
            self.stamps = "beside" if self.plan.triggers else "alone"
            self.stamp_shares = kind_shares(flip_counts(victim, images[:STAMP_IMAGES], KINDS, seed))
        device = victim.mean.device
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        held_count = self._held_out_count(labels[order], settings)
        self.held_out = HeldOut(
            images[order[:held_count]].to(device), labels[order[:held_count]].to(device), settings.gone
        )
        super().__init__(victim, images[order[held_count:]], labels[order[held_count:]], settings, seed)
        self.clean0, self.logits0 = features_and_logits(victim, self.x)
        found = images[:0] if found is None else found
        self.found = FoundImages(found, victim, triggers[0].target, self.clean0, self.y)
        self.one_hot = F.one_hot(self.y, victim.num_classes).to(self.x.dtype)
        self.annealing_at_latest = (
            STAMPED_STEPS if self.plan.stamps else max(settings.epochs * self.per_epoch, MIN_STEPS)
        )
        self.annealing_from: int | None = None
        self.rounds = 0
        self.best_weights: dict[str, Tensor] | None = None
        if held_count:
            self.held_out.measure_error(victim)
        first = torch.arange(min(LR_IMAGES, len(self.x)), device=device)
        self.model.train()
        self.peak_lr = trust_region_rate(
            self.model, lambda: self._weighted_loss(first), self.x, self.plan.lr, settings.moved
        )

    def _held_out_count(self, labels: Tensor, settings: MCLSettings) -> int:
        """How many images are held out; 0 where no trigger is sure, since then they cannot show the attack go."""
        if self.plan.stamps:
            return 0
        count = min(round(settings.holdout * len(labels)), len(labels) - 1)
        # a tiny held-out part may be all of a target class, on which ASR is not defined
        return 0 if any(bool((labels[:count] == target).all()) for target in self.targets) else count

    @property
    def total(self) -> int:
        """Steps in all, as far as is known now; falls once the attack is gone and the annealing begins."""
        begins = self.annealing_at_latest if self.annealing_from is None else self.annealing_from
        return begins + self.plan.anneal

    def learning_rate(self, step: int) -> float:
        """Of a step, counted from 0: a short warm-up, the peak, then a cosine to 0."""
        warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
        annealed = max(0, step - (self.total - self.plan.anneal)) / self.plan.anneal
        return self.peak_lr * warm_up * 0.5 * (1 + math.cos(math.pi * annealed))

    def weight(self, term: str) -> float:
        return self.plan.keep if term == "keep" else super().weight(term)

    # the loss

    def _weighted_loss(self, chosen: Tensor) -> Tensor:
        return torch.stack([self.weight(name) * term for name, term in self.losses(chosen).items()]).sum()

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        """The unweighted loss terms on the images ``chosen``; all but the contrast are left out at weight 0."""
        attacked, times = self._attacked(chosen)
        x, log_answers0 = self._clean(chosen)
        found = self.found.draw(len(chosen), self.step_generator())
        # one pass for all images: batch norm has to see clean ones among the triggered ones
        batch = torch.cat([attacked.images, x, self.found.images[found]])
        features, logits = self.model.features_and_logits(batch.contiguous(memory_format=torch.channels_last))
        of_attacked = slice(len(attacked.images))
        of_clean = slice(len(attacked.images), len(attacked.images) + len(x))
        of_found = slice(len(attacked.images) + len(x), None)

        clean0 = self.clean0[chosen].repeat(times, 1)
        # with triggers and stamps the mean is doubled, so that each weighs as much as it would alone
        terms = {"contrast": times * contrast(features[of_attacked], clean0, attacked.features0, self.settings.tau)}
        if self.settings.supervised > 0:
            against = logits[of_attacked] + attacked.margins
            terms["supervised"] = times * F.cross_entropy(against, self.y[chosen].repeat(times))
        if self.settings.keep > 0:
            log_answers = logits[of_clean].log_softmax(1)
            terms["keep"] = F.kl_div(log_answers, log_answers0, log_target=True, reduction="batchmean")
        if len(found):
            contrastive, supervised = self.found.losses(
                found, features[of_found], logits[of_found], self.settings.tau, self.plan.margin
            )
            terms["contrast"] = terms["contrast"] + contrastive
            if "supervised" in terms:
                terms["supervised"] = terms["supervised"] + supervised
        return terms

    def _attacked(self, chosen: Tensor) -> tuple[Attacked, int]:
        """The images with triggers, with stamps, or once with each; and how often each is among them, 1 or 2."""
        made, x, y = [], self.x[chosen], self.y[chosen]
        if self.plan.triggers:
            generator = self.step_generator()
            made.append(with_triggers(self.victim, self.triggers, x, y, self.plan.margin, generator))
        if self.plan.stamps:
            generator = self.step_generator()
            made.append(with_stamps(self.victim, self.stamp_shares, x, y, self.settings.stamps, generator))
        return joined(made), len(made)

    def _clean(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Clean images, the first of them mixed, and mixed pairs of the target classes; the log-probabilities
        (n, classes) to keep on them."""
        x, labels, logits0 = self.x[chosen], self.one_hot[chosen], self.logits0[chosen]
        pairs = round(self.plan.mixed * len(chosen))
        if pairs:
            x_m, labels_m = mixed(x[:pairs], labels[:pairs], self.x, self.one_hot, self.step_generator())
            parts = (x_m, x), (labels_m, labels), (features_and_logits(self.victim, x_m)[1], logits0)
            x, labels, logits0 = (torch.cat([mixture, rest[pairs:]]) for mixture, rest in parts)
        if self.plan.triggers:
            logits0 = without_targets(logits0, labels, self.targets)
            if own := round(self.settings.target_pairs * len(chosen)):
                x_own = mixed_within(self.x, self.y, self.targets, own, self.step_generator())
                x = torch.cat([x, x_own])
                logits0 = torch.cat([logits0, features_and_logits(self.victim, x_own)[1]])
        return x, logits0.log_softmax(1)

    # the schedule

    def _begin_annealing_or_search_again(self) -> None:
        """The attack is gone from the held-out part: starts a round if one is left, and the annealing if that finds
        nothing."""
        if self.rounds < self.settings.rounds:
            self.rounds += 1
            seed = self.seed + 1000 * self.rounds
            new = still_working(self.victim, self.result(), self.x, self.triggers, seed)
            self.triggers += new
            if new:
                return
        self.annealing_from = min(self.done, self.annealing_at_latest)

    def after_step(self) -> Check | None:
        if not len(self.held_out) or (self.done % self.settings.check_every and self.done != self.total):
            return None
        if self.annealing_from is None:
            check = self.held_out.check(self.result(), self.triggers)
            if check.asr <= self.settings.gone:
                self._begin_annealing_or_search_again()
            return check
        if 2 * (self.done - self.annealing_from) < self.plan.anneal:
            # not in the first half: reconstructed triggers fail earlier than the real one does, so weights that look
            # free of the attack there may not be
            return None
        check = self.held_out.check(self.result(), self.triggers)
        if self.held_out.prefers(check):
            self.best_weights = self.weights()
        return check

    def result(self, best: bool = False) -> Classifier:
        """A copy of the model with batch-norm statistics of clean images. ``best``: as it was at the best check."""
        model = deepcopy(self.model).eval()
        if best and self.best_weights is not None:
            model.net.load_state_dict(self.best_weights)
        count = RESULT_STATISTICS if best else images_by_size(CHECK_STATISTICS, self.pixels)
        recompute_statistics(model, self.x[:count])
        return model

    # resuming

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        tensors |= {f"best.{k}": v.clone() for k, v in (self.best_weights or {}).items()}
        for number, trigger in enumerate(self.triggers[self.scanned_triggers :]):
            name = f"round.{number}.{trigger.form}.{trigger.target}"
            tensors[f"{name}.pattern"] = trigger.pattern
            if trigger.mask is not None:
                tensors[f"{name}.mask"] = trigger.mask
        annealing = -1 if self.annealing_from is None else self.annealing_from
        numbers |= {"annealing_from": annealing, "rounds": self.rounds}
        return tensors, numbers if self.best_weights is None else numbers | {"best_score": self.held_out.best_score}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        self.best_weights = self.part(tensors, "best") or None
        of_rounds = self.part(tensors, "round")  # keys "<number>.<form>.<target>.pattern", and the same with ".mask"
        names = [key.split(".")[:-1] for key in of_rounds if key.endswith(".pattern")]
        self.triggers[self.scanned_triggers :] = [
            replace(
                self.triggers[0], form=form, pattern=of_rounds[f"{number}.{form}.{target}.pattern"],
                mask=of_rounds.get(f"{number}.{form}.{target}.mask"), target=int(target),
            )
            for number, form, target in sorted(names, key=lambda name: int(name[0]))
        ]  # fmt: skip
        self.rounds = int(numbers["rounds"])
        self.annealing_from = None if numbers["annealing_from"] < 0 else int(numbers["annealing_from"])
        self.held_out.best_score = numbers.get("best_score", -math.inf)


def normalisation(model: Classifier) -> Normalisation:
    """How the network's layers normalise; one layer stands for all."""
    return "batch" if has_batch_norm(model) else "other" if has_normalisation(model) else "none"
