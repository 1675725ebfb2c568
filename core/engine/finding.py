"""The scan of a run: the class that looks most like a target, its triggers, and what they are worth, on record."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from math import isfinite

import torch

from core.compute.returning import Returning
from core.defenses import DEFENCES
from core.engine.state import Clock, State
from core.events import Event, Progress, Scanned, StageStarted
from core.runs.arrays import TriggerFile
from core.scan.outlook import outlook
from core.scan.restarts import Effort, restarts
from core.scan.scan import Scan, scan
from core.scan.unlearned import asked, clear, fallen_back
from core.scan.verdict import Verdict, judge
from core.scan.warped import nearest, warped
from core.triggers.reconstructed import Confidence, Reconstructed, kept

# Shares of the stage's progress: three forms, and what the triggers from other starts, or unlearning, takes.
SCAN, MORE = 300, 60
EFFORT = Effort(steps=60, images=12, attack_rate=0.97)  # of the triggers from other starts

Budget = tuple[torch.Tensor, torch.Tensor]


def find(state: State, budget: Budget) -> Iterator[Event]:
    """Scans the model, unless the record has what an earlier worker found."""
    clock = Clock(state.steering)
    images, _ = budget
    yield StageStarted("scan")
    if state.scanned is None:
        found: Scan | None = None
        told = 0
        if (seconds := outlook(state.subject.model, images)) is not None:
            yield Progress("scan", 0, SCAN + MORE, seconds)
        for done, total, result in scan(state.subject.model, images, seed=state.spec.seed):
            state.steering.check()
            found = result
            if done >= told + 5 or (found is not None and told < total):
                told = done
                yield clock.progress("scan", done, total + MORE)
        assert found is not None
        found, verdict = yield from _judged(state, found, budget, clock)
        warps = (yield from _warp(state, images, found.target, clock)) if "warped" in verdict.facts else []
        state.scanned = _scanned(state, found, verdict, warps)
        state.recall_triggers()
        yield state.scanned
    if not state.restarts:
        yield from _restarts(state, images, clock)
    state.seconds["scan"] = round(clock.seconds(), 2)


def _judged(state: State, found: Scan, budget: Budget, clock: Clock) -> Generator[Event, None, tuple[Scan, Verdict]]:
    """The verdict and the class it is of. Where the inversion shows no sign, random warps may; and where these do not
    either, the class that the model falls back on is the one to be wary of, if that is clear, and a trigger that leads
    there is known to train against."""
    verdict, model = judge(found), state.subject.model
    if verdict.grade != "none" or state.spec.target is not None:
        return found, verdict
    led = warped(model, budget[0], state.spec.seed)
    state.steering.check()
    if led is not None:
        found = found.of(led[0])
        return found, Verdict("some", judge(found).facts | {"warped": round(100 * led[1], 1)})
    if not asked(model, budget[0]):
        return found, verdict
    shares: torch.Tensor | None = None
    for done, total, result in fallen_back(model, *budget, seed=state.spec.seed):
        state.steering.check()
        shares = result
        if done % 5 == 0:
            yield clock.progress("scan", SCAN + MORE * done // total, SCAN + MORE)
    assert shares is not None
    named = clear(shares)
    if named is None or not found.of(named).works:
        return found, verdict
    found = found.of(named)
    return found, Verdict("none", judge(found).facts | {"fallen_back": round(100 * float(shares[named]), 1)})


def _warp(state: State, images: torch.Tensor, target: int, clock: Clock) -> Generator[Event, None, list[Reconstructed]]:
    """The warp that leads there; what the inversion has of that class is a poor copy of one."""
    best: list[Reconstructed] = []
    for done, total, trigger in nearest(state.subject.model, images, target, seed=state.spec.seed):
        state.steering.check()
        best = [trigger] if trigger else best
        if done % 6 == 0:
            yield clock.progress("scan", SCAN + MORE * done // total, SCAN + MORE)
    return best


def _restarts(state: State, images: torch.Tensor, clock: Clock) -> Iterator[Event]:
    """For the purification, the triggers from other starts too, where there is no doubt that they are of a backdoor."""
    if not DEFENCES[state.spec.defence].needs_triggers or state.spec.scan_only or not state.triggers:
        return
    times = state.settings.restarts
    if not times or state.triggers[0].confidence is not Confidence.SURE:
        return
    found: list[Reconstructed] = []
    forms = [trigger.form for trigger in state.triggers if trigger.form != "warp"]
    for number, form in enumerate(forms):
        seed, targets = state.spec.seed + 1 + number, [state.triggers[0].target] * times
        steps = Returning(restarts(state.subject.model, images, form, targets, EFFORT, seed))
        for done, total in steps:
            state.steering.check()
            if done and done % 10 == 0:
                share = (number + done / total) / len(forms)
                yield clock.progress("scan", SCAN + round(MORE * share), SCAN + MORE)
        found += steps.result
    if found:
        written(state, found, Confidence.SURE, "restarts")
        state.recall_triggers()


def _scanned(state: State, found: Scan, verdict: Verdict, warps: list[Reconstructed]) -> Scanned:
    """What the scan found, whatever target was given; only the triggers are those of a given one. Warps, if any, are
    the triggers."""
    main, given = found.main, state.spec.target
    sure = given is not None or verdict.sure
    confidence = Confidence.SURE if sure else Confidence.DOUBTFUL if verdict.hint else Confidence.NONE
    file = written(state, warps or (found if given is None else found.of(given)).triggers(), confidence)
    return Scanned(
        target=found.target,
        anomaly_index=round(found.index(main), 2),
        mask_sizes=[round(size, 2) if isfinite(size) else None for size in main.sizes.tolist()],
        attack_rates=[round(100 * rate, 1) for rate in main.attack_rates.tolist()],
        trigger=file,
        form=main.form,
        suspicion=[round(value, 2) for value in found.suspicion.tolist()],
        verdict=verdict.grade,
        facts=verdict.facts,
    )


def written(state: State, found: list[Reconstructed], confidence: Confidence, which: TriggerFile = "trigger") -> str:
    """Puts triggers on record; the name of their file."""
    return state.run.write_triggers(kept(found, confidence), which)
