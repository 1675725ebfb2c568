"""The proof of a cure: fresh and shared triggers, a new scan, interpolation, revival, and the grade that follows.

All tests use test images only, which no purification saw: one half to reconstruct triggers and to retune, the other
half to measure on. No trigger that the purification was trained on is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from core.compute.returning import Returning, with_offset
from core.errors import BadInput
from core.events import Verified
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.scan import scan
from core.scan.shared import OTHERS, honest_classes
from core.scan.verdict import judge
from core.triggers.reconstructed import Reconstructed
from core.verify import effort, path, probes, revival, woken
from core.verify.comparison import MIN_VICTIM_ASR, SEED_OFFSET, SHARED_EFFORT, WORST_TRIGGERS, Comparison
from core.verify.grade import LIMITS, grade
from core.verify.relative_size import relative_size

MAX_SHARED_RATIO = 1.5  # of a shared trigger's size to the largest fresh one of its form: honest classes have larger

Steps = Generator[tuple[int, int], None, Any]


@dataclass
class Proof(Comparison):
    """The tests of one purified model.

    Args:
        victim, purified, images, labels, target, seed, suspects: as ``Comparison``.
        source_models: of the suspects, those that did not stand out on the victim, each with the model on which it did:
            one that was purified of the other classes. Their fresh triggers are made on it.
        warped: classes that warps are known to lead to; of any other class it is asked.
        true_asr: ASR of the real trigger on the purified model, percent; known in the lab only.
        trigger: the real trigger; known in the lab only. Interpolation and revival use it if no fresh trigger works.
        backdoor_found: whether one was found; otherwise there is no trigger to test with.

    Attributes:
        natural: share of the clean images of other classes that the purified model answers with the target, percent;
            ``steps`` sets it.
        evidence: figures by the name of the test; ``asr``, ``before`` and ``control`` are attack success, percent.
            "true": ``asr``. "fresh": ``asr`` on the purified model, ``control``, that of triggers of other classes of
            the same size, ``before`` on the victim, the highest, and ``triggers``, how many work. "reach": ``size``,
            percent (``core.verify.relative_size``). "shared", "revival": ``asr``, and ``control``, that of other
            classes; "revival" also ``images`` and ``epochs`` of the retuning. "others": ``asr``, ``before`` and
            ``control`` (as of "fresh", or the share of clean images if that is higher) of the worst of the
            ``suspects``, the class ``target``, and ``later`` if it is one of ``source_models``; "untested": the
            ``targets`` among them for which no trigger works on the victim, or for which "woken" could not be asked.
            "scan": ``verdict``, ``target``, ``suspicion`` (octaves), ``suspects`` if there are, ``second`` if
            ``target`` had not stood out on the victim. "woken": ``asr``, ``before`` and ``control`` (the share of clean
            images) of the class ``target``, which the new scan names and the victim has no trigger for, but has after
            further training. "path": ``shares`` of the way to the victim, 0-1, ``asr`` at each, and ``judged``, the
            share up to which it counts.
        fresh: working fresh triggers, the furthest above its control on the purified model first.
        reconstructed: the fresh triggers without their variants.
        shared: by form, triggers that work on both models, each with its attack success on both, percent; empty where
            no fresh trigger of the inversion's forms works.
        new_scan: the scan of the purified model.
    """

    true_asr: float | None = None
    trigger: Callable[[Tensor], Tensor] | None = None
    backdoor_found: bool = True
    source_models: Mapping[int, Classifier] = field(default_factory=dict)
    warped: Collection[int] = ()
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fresh: list[Reconstructed] = []
        self.reconstructed: list[Reconstructed] = []
        self.shared: dict[str, list[tuple[Reconstructed, float]]] = {}

    def steps(self) -> Steps:
        """Makes the tests one after the other; yields image passes done and in all; returns ``Verified``."""
        # "search" is the scan whose result "scan" judges, "both" the search whose result "reach" and "shared" judge
        weights = effort.passes(
            self.victim.num_classes, len(self.search_indices), len(self.asr_indices), len(self.suspects)
        )
        total, before = sum(weights.values()), 0
        self.natural = round(self.asr(self.purified, None), 2)
        for name, weight in weights.items():
            work = Returning[tuple[int, int], Any](getattr(self, f"_{name}")())
            for done, of in work:
                yield before + round(weight * done / of), total
            if work.result is not None:
                self.evidence[name] = work.result
            before += weight
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
        images, seed = self.images[self.search_indices], self.seed + SEED_OFFSET
        search = probes.fresh(self.victim, images, self.target, seed, self.suspects, warped=self.target in self.warped)
        self.reconstructed, others = yield from search
        self.other_sizes += [(one.form, one.target, one.size) for one in others]
        small = [one for one in probes.with_variants(self.reconstructed) if self.is_small(one)]
        found = self.working(small, self.target, others)
        if found is None:
            return None
        self.fresh = found.triggers
        told = {"asr": found.asr, "before": found.before, "control": found.control}
        return told | {"triggers": len(found.triggers)}

    def _both(self) -> Steps:
        """Triggers on both models, for the target and other classes, where a fresh one works; see ``shared``."""
        if not any(trigger.form in FORMS for trigger in self.fresh):
            return None
        others = honest_classes(self.victim.num_classes, self.suspected, OTHERS, last=True)  # MCL takes the first
        targets = [self.target] * probes.RESTARTS + others
        for number, form in enumerate(FORMS):
            search = Returning(self.on_both(form, targets, 1, self.victim))
            for done, of in search:
                yield number * of + done, len(FORMS) * of
            self.shared[form] = search.result
        return None

    def _reach(self) -> Steps:
        """The size that shared triggers of the target need, beside those of other classes."""
        yield from ()
        size = relative_size(self.shared.values(), self.suspected, self.target)
        return None if size is None else {"size": size}

    def _shared(self) -> Steps:
        """Attack success of a trigger that works on both models, and the same for other classes as a control."""
        yield from ()
        if not self.shared:
            return None
        form = next(trigger.form for trigger in self.fresh if trigger.form in self.shared)
        max_size = MAX_SHARED_RATIO * max(one.size for one in self.reconstructed if one.form == form)
        best, control, found = 0.0, 0.0, None
        for trigger, rate in self.shared[form]:
            if trigger.size > max_size or math.isnan(rate):
                continue
            if trigger.target != self.target:
                control = max(control, rate)
            elif rate > best and self.is_small(trigger):
                best, found = rate, trigger
        if found and best > max(control, self.evidence["fresh"]["asr"]):
            self.fresh.insert(0, found)
        return {"asr": round(best, 2), "control": round(control, 2)}

    def _others(self) -> Steps:
        """Attack success of fresh triggers towards the other suspects, of the worst beside its share of clean images.

        As in ``_fresh``, they must be small. A suspect towards which none works on the victim, or on the model that
        showed it, is not tested, and the cure stays in doubt.
        """
        found, untested = [], []
        for number, label in enumerate(self.suspects):
            source = self.source_models.get(label, self.victim)
            search = probes.fresh(
                source, self.images[self.search_indices], label, self.seed + SEED_OFFSET, self.suspected,
                warped=label in self.warped,
            )  # fmt: skip
            work = Returning(search)
            for done, of in work:
                yield number * of + done, len(self.suspects) * of
            self.other_sizes += [(one.form, one.target, one.size) for one in work.result.others]
            small = [one for one in probes.with_variants(work.result.triggers) if self.is_small(one)]
            working = self.working(small, label, work.result.others, source)
            if working is None:
                untested.append(label)
                continue
            control = max(working.control, round(self.asr(self.purified, None, label), 2))
            told = {"target": label, "asr": working.asr, "before": working.before, "control": control}
            found.append(told | ({"later": True} if label in self.source_models else {}))
        if untested:
            self._leave_untested(*untested)
        return max(found, key=lambda one: one["asr"] - one["control"], default=None)

    def _leave_untested(self, *targets: int) -> None:
        self.evidence.setdefault("untested", {"targets": []})["targets"].extend(targets)

    def _search(self) -> Steps:
        """A new scan of the purified model; its evidence is that of ``_scan``.

        Its triggers are not refined, since nothing is trained against them.
        """
        images = self.images[self.search_indices]
        self.new_scan = yield from scan(self.purified, images, seed=self.seed + SEED_OFFSET, refined=False)
        for form in self.new_scan.forms:
            self.other_sizes += [(form.form, *row) for row in enumerate(form.sizes.tolist())]
        return None

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
        stood_out = self.suspected if self.backdoor_found else {*self.suspects}
        if grade_found != "none" and self.new_scan.target not in stood_out:
            told["second"] = True
        return told | ({"suspects": [*self.suspects]} if self.suspects else {})

    def _woken(self) -> Steps:
        """Attack success of a small trigger of the class that the new scan names, where the victim has none.

        It must work on the purified model and on the victim after further training on clean images alone: then the
        backdoor slept in the victim, and the purification woke it. On that copy it must be smaller than the triggers
        of other classes too, the control: on the purified model these may be larger because they were trained against.
        """
        label = self.new_scan.target
        tested = {*(trigger.target for trigger in self.fresh), *self.suspects}  # by fresh triggers
        if label in tested or judge(self.new_scan).grade == "none" or self.evidence["scan"]["verdict"] != "none":
            return None
        images, labels = self.images[self.search_indices], self.labels[self.search_indices]
        training = woken.trained_further(self.victim, images, labels, seed=self.seed)
        total = woken.STEPS + SHARED_EFFORT.steps + probes.EFFORT.steps
        try:
            further = yield from with_offset(training, 0, total)
        except BadInput:  # it diverged, so that this class stays untested
            self._leave_untested(label)
            return None
        found = yield from with_offset(self._named_triggers(further), woken.STEPS, total)
        if found and not honest_classes(further.num_classes, self.suspected | {label}, 1):
            self._leave_untested(label)  # no other class to tell it from
            return None
        if found:
            search = woken.control_size(further, images, self.new_scan.main.form, self.suspected | {label}, self.seed)
            control = yield from with_offset(search, total - probes.EFFORT.steps, total)
            found = [one for one in found if one.size <= probes.MAX_SIZE_RATIO * control]
        if not found:
            return None
        asr, worst = max(((self.asr(self.purified, one, label), one) for one in found), key=lambda rated: rated[0])
        before, natural = self.asr(self.victim, worst, label), self.asr(self.purified, None, label)
        return {"target": label, "asr": round(asr, 2), "before": round(before, 2), "control": round(natural, 2)}

    def _named_triggers(self, model: Classifier) -> Generator[tuple[int, int], None, list[Reconstructed]]:
        """Small triggers of the class that the new scan names that work on ``model`` and on the purified one."""
        targets = [self.new_scan.target] * probes.RESTARTS
        made = yield from self.on_both(self.new_scan.main.form, targets, 2, model)
        return [one for one, rate in made if rate >= MIN_VICTIM_ASR and self.is_small(one)]

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
