"""The proof of a cure: fresh and shared triggers, a new scan, interpolation, revival, and the grade that follows.

All tests use test images only, which no purification saw: one half to reconstruct triggers and to retune, the other
half to measure on. No trigger that the purification was trained on is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.compute.returning import Returning
from core.errors import BadInput
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
from core.verify import path, probes, revival, woken
from core.verify.grade import LIMITS, grade

ASR_IMAGES = 1000  # test images of other classes on which attack success is measured, at most
PRESELECTION_IMAGES = 250  # of these, to preselect the worst triggers
SEARCH_IMAGES = 500  # test images on which triggers are reconstructed, at most
MIN_VICTIM_ASR = 50.0  # percent: a trigger that works less on the victim says nothing about the purified model
SHARED_EFFORT = Effort(steps=60, images=12, attack_rate=0.9, min_rate=0.0)
MAX_SHARED_RATIO = 1.5  # of a shared trigger's size to the largest fresh one of its form: honest classes have larger
WORST_TRIGGERS = 2  # that interpolation and revival are measured with
SEED_OFFSET = 7919  # added to the run's seed, so that the proof draws other numbers than the scan
# The tests in their order, with their share of the work, for progress. "search" is the scan whose result "scan" judges;
# "others" is as much as "fresh" for each of the other suspects.
TESTS = (
    ("true", 0), ("search", 6), ("fresh", 4), ("scan", 1), ("woken", 1), ("shared", 3), ("others", 4), ("path", 1),
    ("revival", 1),
)  # fmt: skip

Steps = Generator[tuple[int, int], None, Any]


@dataclass
class Proof:
    """The tests of one purified model.

    Args:
        victim, purified: the models before and after; not changed.
        images: test images, uint8, (n, 3, h, w).
        labels: their classes, (n,).
        target: the target class.
        known: the triggers that the purification was trained on; only their forms are used.
        seed: of the run.
        true_asr: ASR of the real trigger on the purified model, percent; known in the lab only.
        trigger: the real trigger; known in the lab only. Interpolation and revival use it if no fresh trigger works.
        backdoor_found: whether one was found; otherwise there is no trigger to test with.
        suspects: other classes that stood out on the victim (``core.scan.verdict.other_suspects``).

    Attributes:
        natural: share of the clean images of other classes that the purified model answers with the target, percent;
            ``steps`` sets it.
        evidence: figures by the name of the test; ``asr``, ``before`` and ``control`` are attack success, percent.
            "true": ``asr``. "fresh": ``asr`` on the purified model, ``before`` on the victim, the highest, and
            ``triggers``, how many work. "shared", "revival": ``asr``, and ``control``, that of other classes; "revival"
            also ``images`` and ``epochs`` of the retuning. "others": ``asr``, ``before`` and ``control`` (the share of
            clean images) of the worst of the ``suspects``, the class ``target``; "untested": the ``targets`` among
            them for which no trigger works on the victim. "scan": ``verdict``, ``target``, ``suspicion`` (octaves),
            ``suspects`` if there are. "woken": ``asr``, ``before`` and ``control`` (as of "others") of the class
            ``target``, which the new scan names and the victim has no trigger for, but has after further training.
            "path": ``shares`` of the way to the victim, 0-1, ``asr`` at each, and ``judged``, the share up to which
            it counts.
        search_indices, asr_indices: positions of the test images to reconstruct on, and to measure on.
        fresh: working fresh triggers, the most successful on the purified model first.
        reconstructed: the fresh triggers without their variants.
        other_sizes: form, class and size (pixels) of other triggers, on either model, to compare sizes with.
        new_scan: the scan of the purified model.
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
    backdoor_found: bool = True
    suspects: Sequence[int] = ()
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(self.seed + SEED_OFFSET))
        half = max(1, len(order) // 2)
        self.search_indices = order[: min(half, SEARCH_IMAGES)]
        rest = order[half:] if len(order) > half else order
        not_target = rest[self.labels[rest] != self.target]
        self.asr_indices = not_target[:ASR_IMAGES]
        self.fresh: list[Reconstructed] = []
        self.reconstructed: list[Reconstructed] = []
        self.other_sizes: list[tuple[str, int, float]] = []

    def asr(
        self,
        model: Classifier,
        trigger: Callable[[Tensor], Tensor] | None,
        target: int | None = None,
        count: int = ASR_IMAGES,
    ) -> float:
        """ASR on ``count`` of the test images, percent; NaN if there are none."""
        target, chosen = self.target if target is None else target, self.asr_indices[:count]
        if not bool((self.labels[chosen] != target).any()):
            return float("nan")
        predicted = answers(model, self.images[chosen], trigger).cpu()
        return attack_success_rate(predicted, self.labels[chosen], target)

    def steps(self) -> Steps:
        """Makes the tests one after the other; yields units done and in all; returns ``Verified``."""
        weights = {name: weight * (len(self.suspects) if name == "others" else 1) for name, weight in TESTS}
        total, before = 100 * sum(weights.values()), 0
        self.natural = round(self.asr(self.purified, None), 2)
        for name, weight in weights.items():
            work = Returning[tuple[int, int], Any](getattr(self, f"_{name}")())
            for done, of in work:
                yield before + round(100 * weight * done / of), total
            if work.result is not None:
                self.evidence[name] = work.result
            before += 100 * weight
        yield total, total
        return self._verified()

    def _verified(self) -> Verified:
        target = self.target if self.backdoor_found else None
        cure, reasons = grade(self.evidence, self.natural, len(self.asr_indices), target)
        fresh, both = self.evidence.get("fresh"), self.evidence.get("shared")
        worst = [fresh["asr"]] if fresh else []
        if both and both["asr"] > both["control"]:  # otherwise a pattern of that size does as much for any class
            worst.append(both["asr"])
        return Verified(
            cure=cure, reasons=reasons, asr=max(worst, default=None), natural=self.natural,
            images=len(self.asr_indices), evidence=self.evidence,
        )  # fmt: skip

    def _true(self) -> Steps:
        yield from ()  # a generator like the other tests
        return None if self.true_asr is None else {"asr": self.true_asr}

    def _fresh(self) -> Steps:
        """Attack success of fresh triggers and their variants, of those that work on the victim.

        They must be smaller than the triggers of other classes, on the victim and on the purified model.
        """
        if not self.backdoor_found:
            return None
        forms = {trigger.form for trigger in self.known}
        images, seed = self.images[self.search_indices], self.seed + SEED_OFFSET
        self.reconstructed, others = yield from probes.fresh(
            self.victim, images, self.target, forms, seed, self.suspects
        )
        self.other_sizes += [(one.form, one.target, one.size) for one in others]
        small = [one for one in _with_variants(self.reconstructed) if self._is_small(one)]
        self.fresh, figures = self._working(small, self.target)
        return figures and {"asr": figures[0], "before": figures[1], "triggers": len(self.fresh)}

    def _working(
        self, triggers: Iterable[Reconstructed], label: int
    ) -> tuple[list[Reconstructed], tuple[float, float] | None]:
        """The triggers that work on the victim, the most successful on the purified model first; the highest attack
        success on the purified model and on the victim, or None if none works."""
        working = []
        for trigger in triggers:
            before = self.asr(self.victim, trigger, label, PRESELECTION_IMAGES)
            if before >= MIN_VICTIM_ASR:
                working.append((self.asr(self.purified, trigger, label, PRESELECTION_IMAGES), before, trigger))
        if not working:
            return [], None
        working.sort(key=lambda row: (-row[0], -row[1]))
        found = [trigger for *_, trigger in working]
        asr = max(self.asr(self.purified, trigger, label) for trigger in found[:WORST_TRIGGERS])
        return found, (round(asr, 2), round(max(before for _, before, _ in working), 2))

    def _shared(self) -> Steps:
        """Attack success of a trigger that works on both models, and the same for other classes as a control."""
        form = next((trigger.form for trigger in self.fresh if trigger.form in FORMS), None)
        if form is None:
            return None
        max_size = MAX_SHARED_RATIO * max(one.size for one in self.reconstructed if one.form == form)
        targets = [self.target] * probes.RESTARTS + probes.comparison_classes(self.victim, self._suspected)
        best, control, found = 0.0, 0.0, None
        for trigger, rate in (yield from self._on_both(form, targets, 1, self.victim)):
            if trigger.size > max_size or math.isnan(rate):
                continue
            if trigger.target != self.target:
                control = max(control, rate)
            elif rate > best and self._is_small(trigger):
                best, found = rate, trigger
        if found and best > max(control, self.evidence["fresh"]["asr"]):
            self.fresh.insert(0, found)
        return {"asr": round(best, 2), "control": round(control, 2)}

    def _others(self) -> Steps:
        """Attack success of fresh triggers towards the other suspects, of the worst beside its share of clean images.

        As in ``_fresh``, they must be small. A suspect towards which none works on the victim is not tested, and the
        cure stays in doubt.
        """
        found, untested = [], []
        for number, label in enumerate(self.suspects):
            search = probes.fresh(
                self.victim, self.images[self.search_indices], label, (), self.seed + SEED_OFFSET, self._suspected
            )
            work = Returning(search)
            for done, of in work:
                yield number * of + done, len(self.suspects) * of
            self.other_sizes += [(one.form, one.target, one.size) for one in work.result.others]
            small = [one for one in _with_variants(work.result.triggers) if self._is_small(one)]
            _, figures = self._working(small, label)
            if figures is None:
                untested.append(label)
                continue
            control = round(self.asr(self.purified, None, label), 2)
            found.append({"target": label, "asr": figures[0], "before": figures[1], "control": control})
        if untested:
            self._leave_untested(*untested)
        return max(found, key=lambda one: one["asr"] - one["control"], default=None)

    def _leave_untested(self, *targets: int) -> None:
        self.evidence.setdefault("untested", {"targets": []})["targets"].extend(targets)

    @property
    def _suspected(self) -> set[int]:
        return {self.target, *self.suspects}

    def _search(self) -> Steps:
        """A new scan of the purified model; its evidence is that of ``_scan``."""
        images = self.images[self.search_indices]
        self.new_scan = yield from scan(self.purified, images, seed=self.seed + SEED_OFFSET)
        for form in self.new_scan.forms:
            self.other_sizes += [(form.form, *row) for row in enumerate(form.sizes.tolist())]
        return None

    def _is_small(self, trigger: Reconstructed) -> bool:
        """Whether a trigger is smaller than those of other classes: two on the victim, all on the purified model.

        A warp, which is no form of the inversion, has no size that could be compared, and counts as small.
        """
        other_sizes = (
            size
            for form, label, size in self.other_sizes
            if form == trigger.form and label not in self._suspected | {trigger.target} and not math.isnan(size)
        )
        return trigger.form not in FORMS or trigger.size <= probes.MAX_SIZE_RATIO * min(other_sizes, default=math.inf)

    def _scan(self) -> Steps:
        """Verdict and target of the new scan.

        A class can stand out merely because the purification made all other classes harder to reach. So the verdict
        counts only if a trigger of the class works on the victim too and is smaller than those of other classes.
        """
        verdict = judge(self.new_scan)
        grade_found = verdict.grade
        if grade_found != "none" and not (yield from self._named_triggers(self.victim)):
            grade_found = "none"
        told = {"verdict": grade_found, "target": self.new_scan.target, "suspicion": verdict.facts["suspicion"]}
        return told | ({"suspects": [*self.suspects]} if self.suspects else {})

    def _woken(self) -> Steps:
        """Attack success of a small trigger of the class that the new scan names, where the victim has none.

        It must work on the purified model and on the victim after further training on clean images alone: then the
        backdoor slept in the victim, and the purification woke it.
        """
        label = self.new_scan.target
        tested = {*(trigger.target for trigger in self.fresh), *self.suspects}  # by fresh triggers
        if label in tested or judge(self.new_scan).grade == "none" or self.evidence["scan"]["verdict"] != "none":
            return None
        images, labels = self.images[self.search_indices], self.labels[self.search_indices]
        training = woken.trained_further(self.victim, images, labels, seed=self.seed)
        total = woken.STEPS + SHARED_EFFORT.steps
        try:
            further = yield from probes.with_offset(training, 0, total)
        except BadInput:  # it diverged, so that this class stays untested
            self._leave_untested(label)
            return None
        found = yield from probes.with_offset(self._named_triggers(further), woken.STEPS, total)
        if not found:
            return None
        asr, worst = max(((self.asr(self.purified, one, label), one) for one in found), key=lambda rated: rated[0])
        before, control = self.asr(self.victim, worst, label), self.asr(self.purified, None, label)
        return {"target": label, "asr": round(asr, 2), "before": round(before, 2), "control": round(control, 2)}

    def _named_triggers(self, model: Classifier) -> Generator[tuple[int, int], None, list[Reconstructed]]:
        """Small triggers of the class that the new scan names that work on ``model`` and on the purified one."""
        targets = [self.new_scan.target] * probes.RESTARTS
        made = yield from self._on_both(self.new_scan.main.form, targets, 2, model)
        return [one for one, rate in made if rate >= MIN_VICTIM_ASR and self._is_small(one)]

    def _on_both(
        self, form: str, targets: list[int], seed: int, victim: Classifier
    ) -> Generator[tuple[int, int], None, list[tuple[Reconstructed, float]]]:
        """Triggers reconstructed on ``victim`` and the purified model together, each with the smaller of its two attack
        success rates, percent."""
        made = yield from shared(
            victim,
            self.purified,
            self.images[self.search_indices],
            form,
            targets,
            SHARED_EFFORT,
            self.seed + SEED_OFFSET + seed,
        )
        models = (victim, self.purified)
        return [(one, min(self.asr(model, one, one.target) for model in models)) for one in made]

    def _worst_triggers(self) -> list[Callable[[Tensor], Tensor]]:
        return [*self.fresh[:WORST_TRIGGERS]] or ([] if self.trigger is None else [self.trigger])

    def _path(self) -> Steps:
        """Attack success of the models interpolated towards the victim, the highest over the worst triggers."""
        triggers = self._worst_triggers()
        if not triggers:
            return None
        shares, rates = [0.0], [round(max(self.asr(self.purified, trigger) for trigger in triggers), 2)]
        for done, share in enumerate(path.SHARES):
            model = path.interpolated(self.victim, self.purified, share, self.images[self.search_indices])
            shares.append(share)
            rates.append(round(max(self.asr(model, trigger) for trigger in triggers), 2))
            yield done + 1, len(path.SHARES)
        return {"shares": shares, "asr": rates, "judged": LIMITS.path_share}

    def _revival(self) -> Steps:
        """Attack success after a short retuning, and that of another class taught in the same way as a control."""
        triggers = self._worst_triggers()
        if not triggers:
            return None
        others = [label for label in range(self.victim.num_classes) if label != self.target]
        other = next((label for label in others if label not in self.suspects), others[0])
        images, labels, trigger = self.images[self.search_indices], self.labels[self.search_indices], triggers[0]
        targets = (self.target, other)
        models = revival.retune_copies(self.purified, images, labels, trigger, targets, seed=self.seed)
        yield 1, 2
        rates = [round(self.asr(model, trigger, target), 2) for model, target in zip(models, targets, strict=True)]
        return {"images": revival.RevivalSettings.poisoned, "epochs": revival.RevivalSettings.epochs,
                "asr": rates[0], "control": rates[1]}  # fmt: skip


def _with_variants(triggers: Iterable[Reconstructed]) -> Iterator[Reconstructed]:
    for trigger in triggers:
        yield trigger
        yield from probes.variants(trigger)
