"""The scan of a run: the class that looks most like a target, its triggers, and what they are worth, on record."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from math import isfinite

import torch

from core.defenses.settings import PLENTY
from core.events import Event, Scanned, StageStarted
from core.inversion.again import again
from core.inversion.scan import Scan, scan
from core.inversion.trigger import Reconstructed
from core.inversion.unlearned import asked, clear, fallen_back
from core.inversion.verdict import Verdict, judge
from core.inversion.warped import nearest, warped
from core.run_state import Clock, State

# Shares of the stage's progress: three forms, and what the triggers from other starts, or unlearning, takes.
SCAN, MORE = 300, 60
# Against the found trigger. Where a backdoor shows less clearly, what was reconstructed is less like the real trigger,
# so the model is pushed further away from it; where none shows, there is nothing to push against.
SURE, DOUBTFUL, NOTHING = 1.0, 1.5, 0.0

Budget = tuple[torch.Tensor, torch.Tensor]


def find(state: State, budget: Budget) -> Iterator[Event]:
    """Scans the model, unless the record has what an earlier worker found."""
    clock = Clock(state.steering)
    images, _ = budget
    yield StageStarted("scan")
    if state.scanned is None:
        found: Scan | None = None
        told = 0
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
    if not state.again:
        yield from _again(state, images, clock)
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


def _again(state: State, images: torch.Tensor, clock: Clock) -> Iterator[Event]:
    """For the purification, the triggers from other starts too, where there is no doubt that they are of a backdoor
    and clean images are few."""
    times, known = getattr(state.settings, "again", 0), state.triggers[: getattr(state.settings, "triggers", 0)]
    few = len(images) < PLENTY * state.images.num_classes
    if state.spec.scan_only or not (times and few and known) or known[0].push != SURE:
        return
    for done, total, found in again(state.subject.model, images, known, times, seed=state.spec.seed):
        state.steering.check()
        if done and done % 10 == 0:
            yield clock.progress("scan", SCAN + MORE * done // total, SCAN + MORE)
        if found:
            written(state, found, found[0].push, again=True)
            state.recall_triggers()


def _scanned(state: State, found: Scan, verdict: Verdict, warps: list[Reconstructed]) -> Scanned:
    """What the scan found, whatever target was given; only the triggers are those of a given one. Warps, if any, are
    the triggers."""
    main, given = found.main, state.spec.target
    push = SURE if given is not None or verdict.sure else DOUBTFUL if verdict.hint else NOTHING
    file = written(state, warps or (found if given is None else found.of(given)).triggers(), push)
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


def written(state: State, found: list[Reconstructed], push: float, again: bool = False) -> str:
    """Puts triggers on record; the name of their file."""
    rows = [
        (one.form, one.target, push, None if one.mask is None else one.mask.cpu(), one.pattern.cpu()) for one in found
    ]
    return state.run.write_triggers(rows, again)
