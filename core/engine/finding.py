"""The stage "scan" of a run: target, triggers and verdict, written to the record."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from math import isfinite

import torch

from core.compute.returning import Returning
from core.defenses import DEFENCES
from core.defenses.mcl.rounds import MAX_SIZE_RATIO
from core.engine import earlier_scan
from core.engine.state import Clock, State
from core.engine.statistics import with_clean_statistics
from core.engine.subject import Subject
from core.events import Event, Progress, Rescan, Scanned, StageStarted
from core.models.classifier import Classifier
from core.runs.arrays import TriggerFile
from core.scan import FORMS
from core.scan.duration import expected_seconds
from core.scan.every_form import in_every_form
from core.scan.evidence import Evidence, gathered
from core.scan.restarts import Effort
from core.scan.scan import FORM_UNITS, Scan
from core.scan.search_progress import SearchProgress
from core.scan.second_draw import scan_twice_if_unclear
from core.scan.verdict import judge
from core.scan.warped import warps_towards
from core.triggers.reconstructed import Confidence, Reconstructed, to_record

# Units of progress: those of the scan, then those of one further search (warps, unlearning, or restarts).
SCAN_UNITS, EXTRA_UNITS = FORM_UNITS * len(FORMS), 60
UNITS = SCAN_UNITS + EXTRA_UNITS
REPORT_EVERY = 5  # units, or steps of a further search, between two progress events of the scan
RESTART_EFFORT = Effort(steps=60, images=12, attack_rate=0.97)

Budget = tuple[torch.Tensor, torch.Tensor]  # clean images, uint8 (n, 3, h, w), and their labels, int64 (n,)


def find(state: State, budget: Budget) -> Iterator[Event]:
    """Scans the model and reconstructs its triggers.

    Where it shows no sign as it came, and its batch-norm statistics are not those of clean images, it is scanned again
    with these. Results that the record has already are kept, and those of an earlier run that the order names
    (``scan_of``) are taken over.
    """
    clock = Clock(state.context.steering)
    images, _ = budget
    yield StageStarted("scan")
    if state.scanned is None and state.context.spec.scan_of:
        state.scanned = earlier_scan.take(state)
        state.recall_triggers()
        yield state.scanned
    if state.scanned is None:
        evidence = yield from _searched(state, state.context.subject, budget)
        if evidence.verdict.grade == "none":
            evidence = (yield from _searched_awake(state, budget)) or evidence
        state.scanned = _scanned(state, evidence)
        state.recall_triggers()
        yield state.scanned
    elif "statistics" in state.scanned.facts:
        state.examine(with_clean_statistics(state.context.subject, *budget, state.context.spec.seed))
    if not state.restarts:
        yield from _restarts(state, state.context.subject.model, state.triggers, images, 1)
    state.spent("scan", clock)


def find_again(state: State, budget: Budget) -> Generator[Event, None, bool]:
    """Reconstructs triggers of the class that the last proof named, on the model that it proved.

    They are made on the clean budget, as those of any scan: no image and no trigger of a proof is trained on. Those on
    record are of this class, unless the purification before was done again and its proof named another one.

    Returns:
        whether any of them works. Otherwise there is nothing that a purification could be made against.
    """
    clock, run, number = Clock(state.context.steering), state.context.run, state.number
    yield StageStarted("scan")
    if (found := run.triggers("trigger", number)) is None or state.current_target not in found.targets:
        evidence = yield from _searched(state, replace(state.context.subject, model=state.start), budget)
        triggers, confidence = evidence.of(state.current_target)
        if not triggers:
            state.spent("scan", clock)
            return False
        write_triggers(state, triggers, confidence, "trigger", number)
    if (more := run.triggers("restarts", number)) is None or state.current_target not in more.targets:
        state.recall_triggers()
        own = [one for one in state.further_triggers if one.target == state.current_target]
        yield from _restarts(state, state.start, own, budget[0], number)
    state.recall_triggers()
    state.spent("scan", clock)
    return True


def _searched_awake(state: State, budget: Budget) -> Generator[Event, None, Evidence | None]:
    """The evidence with the batch-norm statistics of clean images, which from then on the model is examined with.

    None where the file's own are near them, or where these show no sign either: the model stays as it came.
    """
    subject = with_clean_statistics(state.context.subject, *budget, state.context.spec.seed)
    if subject is state.context.subject:
        return None
    yield Rescan("statistics")
    evidence = yield from _searched(state, subject, budget)
    if evidence.verdict.grade == "none":
        return None
    state.examine(subject)
    return evidence


def _searched(state: State, subject: Subject, budget: Budget) -> Generator[Event, None, Evidence]:
    """A scan of the subject, and what further searches add to it."""
    images, seed = budget[0], state.context.spec.seed
    clock = Clock(state.context.steering)  # a scan with other statistics has a time of its own
    reported, draw, progress = 0, 1, SearchProgress()
    if (seconds := expected_seconds(subject.model, images)) is not None:
        yield Progress("scan", 0, UNITS, seconds)
    search = Returning(scan_twice_if_unclear(subject.model, images, seed=seed, progress=progress))
    for done, total in search:
        state.context.steering.check()
        if draw != progress.draw:
            draw = progress.draw
            yield Rescan("unclear")
        # done falls back where more is to be done than was expected; the last one is reported in any case, since a
        # decisive form ends the scan early
        if abs(done - reported) >= REPORT_EVERY or done == total:
            reported = done
            yield clock.progress("scan", done, total + EXTRA_UNITS)
            if (searched := progress.event()) is not None:
                yield searched
    return (yield from _evidence(state, subject, search.result, budget))


def _evidence(state: State, subject: Subject, found: Scan, budget: Budget) -> Generator[Event, None, Evidence]:
    """The verdict, and what further searches add to it; none is made for a target that the user gave."""
    spec, clock = state.context.spec, Clock(state.context.steering)
    if spec.target is not None:
        return Evidence(found, judge(found))
    steps = Returning(gathered(found, subject.model, *budget, seed=spec.seed))
    for done, total in steps:
        state.context.steering.check()
        if done and done % REPORT_EVERY == 0:
            yield _extra_progress(clock, done / total)
    return steps.result


def _extra_progress(clock: Clock, share: float) -> Progress:
    """An event: so much of a further search is done, 0-1. Its time is left at its own pace, not at that of the scan."""
    return Progress("scan", SCAN_UNITS + round(EXTRA_UNITS * share), UNITS, clock.left(share))


def _restarts(
    state: State, model: Classifier, triggers: list[Reconstructed], images: torch.Tensor, number: int
) -> Iterator[Event]:
    """Further triggers of the same classes, if the defence wants them: from other starts, in every form.

    Where the known ones are doubtful, only warps are asked for. Without any confidence, nothing is.

    Args:
        number: of the purification that they are for, from 1.
    """
    if not DEFENCES[state.context.spec.defence].needs_triggers or state.context.spec.scan_only or not triggers:
        return
    times, confidence = state.context.settings.restarts, triggers[0].confidence
    if not times or confidence is Confidence.NONE:
        return
    targets = [*dict.fromkeys(trigger.target for trigger in triggers)]
    found: list[Reconstructed] = []
    clock = Clock(state.context.steering)
    for at, target in enumerate(targets):
        steps = Returning(_further(model, images, target, times, confidence, state.context.spec.seed + 1, targets))
        for done, total in steps:
            state.context.steering.check()
            if done and done % 10 == 0:
                yield _extra_progress(clock, (at + done / total) / len(targets))
        found += steps.result
    if found:
        write_triggers(state, found, confidence, "restarts", number)
        state.recall_triggers()


def _further(
    model: Classifier, images: torch.Tensor, target: int, times: int, confidence: Confidence, seed: int,
    suspects: list[int],
) -> Generator[tuple[int, int], None, list[Reconstructed]]:  # fmt: skip
    """Triggers of one class: of each form ``times``, and as many warps; of a doubtful class warps alone.

    ``suspects`` are not compared with. The triggers may be a little larger than those that a proof counts, as in a
    round.
    """
    if confidence is not Confidence.SURE:
        return (yield from warps_towards(model, images, target, times, seed))
    made = yield from in_every_form(model, images, target, times, RESTART_EFFORT, MAX_SIZE_RATIO, seed, suspects)
    return made.triggers


def _scanned(state: State, evidence: Evidence) -> Scanned:
    """Writes the triggers to the record; the event of the scan.

    The event has the target that the scan found. The triggers are those of the target that the user gave, or else of
    that one and of the other classes that stand out.
    """
    found, verdict, given = evidence.scan, evidence.verdict, state.context.spec.target
    main = found.main
    file = write_triggers(state, evidence.triggers(given), evidence.confidence(given))
    moved = state.context.subject.moved
    return Scanned(
        target=found.target,
        anomaly_index=round(found.index(main), 2),
        mask_sizes=[round(size, 2) if isfinite(size) else None for size in main.sizes.tolist()],
        attack_rates=[round(100 * rate, 1) for rate in main.attack_rates.tolist()],
        trigger=file,
        form=main.form,
        suspicion=[round(value, 2) for value in found.suspicion.tolist()],
        verdict=verdict.grade,
        facts=verdict.facts if moved is None else verdict.facts | {"statistics": moved},
        others=evidence.others if given is None else [],
    )


def write_triggers(
    state: State, found: list[Reconstructed], confidence: Confidence, which: TriggerFile = "trigger", number: int = 1
) -> str:
    """Writes triggers to the record; returns the name of their file. ``number``: of the purification they belong to."""
    return state.context.run.write_triggers(to_record(found, confidence), which, number)
