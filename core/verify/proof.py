"""The proof of a cure: fresh triggers, a new scan, the way back and a revival, and the grade that follows.

Everything is made on test images, which the purification never saw: one half to reconstruct and to retune on, the
other to measure on. No trigger that the purification was trained with is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.compute.returning import Returning
from core.events import Verified
from core.metrics import attack_success_rate
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.scan import FORMS
from core.scan.restarts import Effort
from core.scan.scan import scan
from core.scan.shared import shared
from core.scan.verdict import judge
from core.triggers.reconstructed import Reconstructed
from core.verify import path, probes, revival
from core.verify.grade import LIMITS, grade

MEASURED, GLANCE = 1000, 250  # test images of other classes that attack success is taken on, at most; and for a glance
SOUGHT = 500  # that triggers are reconstructed on
WORKS = 50.0  # percent: a trigger that turns fewer on the victim says nothing about the purified model
SHARED = Effort(steps=60, images=12, attack_rate=0.9, works=0.0)
LARGER = 1.5  # times the fresh triggers of its form, at most: for a larger one any class of an honest network will do
WORST = 2  # triggers that the way back and the revival are tried with
SEED = 7919  # added to the run's: the proof starts elsewhere than the scan

Steps = Generator[tuple[int, int], None, Any]


@dataclass
class Proof:
    """The tests of one purified model.

    Args:
        victim, purified: before and after; not changed.
        images: test images, uint8, (n, 3, h, w). labels: their classes, (n,).
        target: the class the cure is about.
        known: the triggers the purification was trained with: only their forms are used, and whether there are any.
        seed: of the run.
        true_asr: percent, after; in the lab only.
        trigger: the attacker's own, likewise: where no fresh one works, the way back and the revival are tried with it.
        found: whether anything was found to be cured of; otherwise there is nothing to test with.
    """

    victim: Classifier
    purified: Classifier
    images: Tensor
    labels: Tensor
    target: int
    known: Sequence[Reconstructed]
    seed: int
    true_asr: float | None = None
    trigger: Callable[[Tensor], Tensor] | None = None
    found: bool = True
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(self.seed + SEED))
        half = max(1, len(order) // 2)
        self.sought = order[: min(half, SOUGHT)]
        rest = order[half:] if len(order) > half else order
        away = rest[self.labels[rest] != self.target]
        self.measured = away[:MEASURED]
        self.fresh: list[Reconstructed] = []
        self.made: list[Reconstructed] = []
        self.sizes: list[tuple[str, int, float]] = []  # form, class and size of triggers of either model

    def asr(
        self,
        model: Classifier,
        trigger: Callable[[Tensor], Tensor] | None,
        target: int | None = None,
        most: int = MEASURED,
    ) -> float:
        """Percent of ``most`` measured images that the model answers with the class; NaN where there are none."""
        target, chosen = self.target if target is None else target, self.measured[:most]
        if not len(chosen):
            return float("nan")
        asked = answers(model, self.images[chosen], trigger).cpu()
        return attack_success_rate(asked, self.labels[chosen], target)

    def steps(self) -> Steps:
        """Makes the tests one after the other; yields what is done and what there is to do; returns ``Verified``."""
        weights = [("true", 0), ("search", 6), ("fresh", 4), ("scan", 1), ("shared", 3), ("path", 1), ("revival", 1)]
        total, before = 100 * sum(weight for _, weight in weights), 0
        self.natural = round(self.asr(self.purified, None), 2)
        for name, weight in weights:
            work = Returning[tuple[int, int], Any](getattr(self, f"_{name}")())
            for done, of in work:
                yield before + round(100 * weight * done / of), total
            if work.result is not None:
                self.evidence[name] = work.result
            before += 100 * weight
        yield total, total
        return self._verified()

    def _verified(self) -> Verified:
        known = self.target if self.found else None
        cure, reasons = grade(self.evidence, self.natural, len(self.measured), known)
        fresh, both = self.evidence.get("fresh"), self.evidence.get("shared")
        worst = [fresh["asr"]] if fresh else []
        if both and both["asr"] > both["control"]:  # else it is what a pattern of that size does for any class
            worst.append(both["asr"])
        return Verified(
            cure=cure, reasons=reasons, asr=max(worst, default=None), natural=self.natural, images=len(self.measured),
            evidence=self.evidence,
        )  # fmt: skip

    def _true(self) -> Steps:
        yield from ()
        return None if self.true_asr is None else {"asr": self.true_asr}

    def _fresh(self) -> Steps:
        """Fresh triggers of the victim, and copies of them: those that work on it, the worst for the purified first.

        They have to be smaller than those of other classes, of the victim and of the purified model.
        """
        if not self.found:
            return None
        forms = {trigger.form for trigger in self.known}
        images, seed = self.images[self.sought], self.seed + SEED
        self.made, others = yield from probes.fresh(self.victim, images, self.target, forms, seed)
        self.sizes += [(one.form, one.target, one.size) for one in others]
        working: list[tuple[float, float, Reconstructed]] = []
        for trigger in (one for made in self.made for one in (made, *probes.copies(made))):
            if not self._small(trigger):
                continue
            before = self.asr(self.victim, trigger, most=GLANCE)
            if before >= WORKS:
                working.append((self.asr(self.purified, trigger, most=GLANCE), before, trigger))
        if not working:
            return None
        working.sort(key=lambda row: (-row[0], -row[1]))
        self.fresh = [trigger for *_, trigger in working]
        # a glance finds the worst, and all images say how bad they are
        asr = max(self.asr(self.purified, trigger) for trigger in self.fresh[:WORST])
        before = max(row[1] for row in working)
        return {"asr": round(asr, 2), "before": round(before, 2), "triggers": len(working)}

    def _shared(self) -> Steps:
        """A trigger hardly larger than the victim's that works on both, beside the same for other classes."""
        form = next((trigger.form for trigger in self.fresh if trigger.form in FORMS), None)
        if form is None:
            return None
        most = LARGER * max(one.size for one in self.made if one.form == form)
        targets = [self.target] * probes.STARTS + probes.others(self.victim, self.target)
        best, control, found = 0.0, 0.0, None
        for trigger, rate in (yield from self._on_both(form, targets, 1)):
            if trigger.size > most or math.isnan(rate):
                continue
            if trigger.target != self.target:
                control = max(control, rate)
            elif rate > best and self._small(trigger):
                best, found = rate, trigger
        if found and best > max(control, self.evidence["fresh"]["asr"]):
            self.fresh.insert(0, found)
        return {"asr": round(best, 2), "control": round(control, 2)}

    def _search(self) -> Steps:
        """A new scan of the purified model, all classes and every form."""
        for done, total, found in scan(self.purified, self.images[self.sought], seed=self.seed + SEED):
            if found is None:
                yield done, total
        assert found is not None
        self.seen = found
        self.sizes += [(form.form, *row) for form in found.forms for row in enumerate(form.sizes.tolist())]
        return None

    def _small(self, trigger: Reconstructed) -> bool:
        """Whether a trigger is smaller than those of other classes, two on the victim and all on the purified model.

        Of a warp, which is no form that a scan inverts, nobody can say.
        """
        honest = (
            size
            for form, label, size in self.sizes
            if form == trigger.form and label not in (self.target, trigger.target) and not math.isnan(size)
        )
        return trigger.form not in FORMS or trigger.size <= probes.SMALLER * min(honest, default=math.inf)

    def _scan(self) -> Steps:
        """The class that the new scan names.

        It may stand out for no other reason than that the purification made all others harder to reach. It counts where
        a trigger of it works on the victim too, and is smaller than what other classes need.
        """
        verdict, main = judge(self.seen), self.seen.main
        named = verdict.grade
        if named != "none":
            made = yield from self._on_both(main.form, [self.seen.target] * probes.STARTS, 2)
            if not any(rate >= WORKS and self._small(one) for one, rate in made):
                named = "none"
        return {"verdict": named, "target": self.seen.target, "suspicion": verdict.facts["suspicion"]}

    def _on_both(
        self, form: str, targets: list[int], seed: int
    ) -> Generator[tuple[int, int], None, list[tuple[Reconstructed, float]]]:
        """Triggers sought on victim and purified model together, and the attack success on the worse of them."""
        made = yield from shared(
            self.victim, self.purified, self.images[self.sought], form, targets, SHARED, self.seed + SEED + seed
        )
        models = (self.victim, self.purified)
        return [(one, min(self.asr(model, one, one.target) for model in models)) for one in made]

    def _worst(self) -> list[Callable[[Tensor], Tensor]]:
        return [*self.fresh[:WORST]] or ([] if self.trigger is None else [self.trigger])

    def _path(self) -> Steps:
        """Attack success along the line to the victim, the worse of the worst triggers."""
        triggers = self._worst()
        if not triggers:
            return None
        shares, rates = [0.0], [round(max(self.asr(self.purified, trigger) for trigger in triggers), 2)]
        for done, share in enumerate(path.SHARES):
            model = path.on_the_way(self.victim, self.purified, share, self.images[self.sought])
            shares.append(share)
            rates.append(round(max(self.asr(model, trigger) for trigger in triggers), 2))
            yield done + 1, len(path.SHARES)
        return {"shares": shares, "asr": rates, "judged": LIMITS.path_share}

    def _revival(self) -> Steps:
        """Attack success after a short retuning, and that of another class taught in the same way."""
        triggers = self._worst()
        if not triggers:
            return None
        other = next(label for label in range(self.victim.num_classes) if label != self.target)
        images, labels, trigger = self.images[self.sought], self.labels[self.sought], triggers[0]
        targets = (self.target, other)
        models = revival.taught(self.purified, images, labels, trigger, targets, seed=self.seed)
        yield 1, 2
        rates = [round(self.asr(model, trigger, target), 2) for model, target in zip(models, targets, strict=True)]
        return {"images": revival.RevivalSettings.poisoned, "epochs": revival.RevivalSettings.epochs,
                "asr": rates[0], "control": rates[1]}  # fmt: skip
