"""One run from start to end: measure, scan, purify, measure again; a stream of events.

The stages write what they make (frames, trigger, checkpoints, model) through the run's record and say
so in events; nothing else leaves the engine. A run that was cut off goes on from what its record holds.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from core.compute.device import choose as choose_device
from core.compute.device import precision
from core.compute.returning import Returning
from core.data import load
from core.data.budget import clean_budget
from core.data.enough import ENOUGH, enough
from core.data.imageset import ImageSet
from core.defenses import Defence, make, settings_for
from core.engine import earlier, looks, outcome
from core.engine.finding import Budget, find, written
from core.engine.state import Clock, Kept, State
from core.engine.subject import load_subject
from core.errors import BadInput
from core.events import Answered, Event, Finished, Measured, StageStarted, Step, Verified
from core.featuremap.frames import FrameTaker
from core.models.classifier import Classifier
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering
from core.triggers.reconstructed import Confidence, Reconstructed
from core.verify.proof import Proof

CHECKPOINT_EVERY = 10  # steps
FRESH_KEPT = 4  # of the fresh triggers, the worst first, on record


def run(run: Run, steering: Steering) -> Iterator[Event]:
    """Does what ``run.spec`` asks for.

    Yields:
        events; ``Finished`` is the last.

    Raises:
        BadInput: what the user gave cannot be used.
        Stopped: the user stopped the run; a checkpoint was written if there was anything to keep.
    """
    spec = run.spec
    if spec.map:
        # imports what the map needs while the model is measured and scanned
        from core.featuremap import warm_up

        threading.Thread(target=warm_up, args=(spec.projection, spec.dims), daemon=True).start()
    clock = Clock(steering)
    yield StageStarted("load")
    device = choose_device(spec.device)
    taken = hashes.bind(run)
    images = _named(load(spec.images), spec.class_names)
    spec = _with_enough(spec, images)
    subject = load_subject(spec, images)
    taken.require_same()
    subject.model.to(device).precision = precision(device)
    if spec.target is not None and spec.target >= images.num_classes:
        raise BadInput(
            "target_out_of_range",
            f"The target class {spec.target} must be from 0 to {images.num_classes - 1}.",
            target=spec.target, most=images.num_classes - 1,
        )  # fmt: skip
    # a mistake in the settings is told before the scan
    settings = settings_for(spec.defence, spec.preset, images.name, **spec.settings)
    state = State(run, steering, spec, images, subject, device, settings)
    state.recall()
    chosen = clean_budget(images.y_train, spec.clean_budget, images.num_classes, spec.seed)
    budget = images.x_train[chosen], images.y_train[chosen]
    facts: dict[str, Any] = {
        "spec": spec.to_dict(),
        "inputs": taken.hashes,
        "notes": [fact.message for fact in images.notes],
        "classes": list(images.class_names),
        "device": outcome.device_name(device),
        "precision": str(subject.model.precision).removeprefix("torch."),
    }
    if subject.card:
        facts |= {"victim_sha256": subject.card.sha256, "true_target": subject.card.target}
    run.update(**facts)
    earlier.require(state)
    state.seconds["load"] = round(clock.seconds(), 2)
    steering.check()
    yield from _measure(state)
    if state.needs_scan:
        yield from find(state, budget)
    if subject.trigger is None:
        yield from _measure_before_estimated(state)
    purifier = None if spec.scan_only else (yield from _purify(state, budget))
    yield from _verify(state, purifier, len(chosen))


def _named(images: ImageSet, names: list[str] | None) -> ImageSet:
    """The images with their classes called so."""
    if names is None:
        return images
    if len(names) != images.num_classes:
        raise BadInput(
            "class_names_differ",
            f"There are {len(names)} class names and {images.num_classes} classes; give one name for each, in order.",
            names=len(names), classes=images.num_classes,
        )  # fmt: skip
    return replace(images, class_names=tuple(names))


def _with_enough(spec: Spec, images: ImageSet) -> Spec:
    """The order with its clean budget raised to what is enough, where it may be."""
    share, available = spec.clean_budget, len(images.y_train)
    if spec.enough and isinstance(share, float) and share * available < ENOUGH:
        return replace(spec, clean_budget=enough(available, images.num_classes))
    return spec


def _open_map(state: State) -> Iterator[Event]:
    """The sample set and the first frame, unless the record has them."""
    if not state.spec.map or state.frames:
        return
    state.frames = FrameTaker(
        state.run, state.images, state.trigger, state.attack_target, state.asr_kind, state.device, state.last
    )
    if state.last is None:
        yield from _frame(state, state.subject.model, 0)
        yield from _drawn(state)


def _frame(state: State, model: Classifier, step: int) -> Iterator[Event]:
    """Begins a frame; it is drawn in the background, and ``_drawn`` tells of it."""
    yield from _drawn(state)
    assert state.frames is not None
    state.frames.look(model, step)


def _drawn(state: State, wait: bool = True) -> Iterator[Event]:
    """The frame that was begun last, unless that was told already; without ``wait`` only if it is done."""
    frame = state.frames.drawn(wait) if state.frames else None
    if frame is not None:
        state.last = frame
        yield frame


def _measure(state: State) -> Iterator[Event]:
    clock = Clock(state.steering)
    yield StageStarted("measure")
    if state.subject.trigger:
        yield from _open_map(state)
        if state.before is None:
            state.before = outcome.measured(state, state.subject.model, "before")
            yield state.before
    elif state.before is None:
        state.clean = outcome.answered(state, state.subject.model)
        yield Answered(outcome.accuracy(state, state.clean), len(state.clean))
    state.steering.check()
    state.seconds["measure"] = round(clock.seconds(), 2)


def _measure_before_estimated(state: State) -> Iterator[Event]:
    """For a stranger's model: there is a trigger to measure with only now."""
    clock = Clock(state.steering)
    yield from _open_map(state)
    if state.before is None:
        state.before = outcome.measured(state, state.subject.model, "before", state.clean)
        yield state.before
    state.seconds["measure"] = round(state.seconds["measure"] + clock.seconds(), 2)


def _purify(state: State, budget: Budget) -> Generator[Event, None, Defence]:
    """Purifies a copy of the model; returns the defence, done.

    Triggers that are no finding are trained against as a precaution, and where that costs too much BA it is done again
    without them, against random stamps alone. The record says so before anything else is changed, and so a run that
    was cut off goes on with the right one.
    """
    clock = Clock(state.steering)
    yield StageStarted("purify")
    if state.given_up:
        _forget(state)
    purifier = yield from _trained(state, budget, clock)
    if purifier.stamps == "beside" and state.scanned and state.scanned.verdict == "none":
        state.kept = _held(state, purifier)
        if not state.kept[2]:
            state.kept = None
            state.run.update(steps_before=state.steps)
            _forget(state)
            purifier = yield from _trained(state, budget, clock)
    state.stamps = purifier.stamps
    state.seconds["purify"] = round(clock.seconds(), 2)
    return purifier


def _forget(state: State) -> None:
    """Leaves the triggers, and what was trained against them, behind; nothing to do where that has been done."""
    if any(trigger.confidence is not Confidence.NONE for trigger in state.triggers):
        state.run.drop_checkpoint()
        written(state, state.triggers, Confidence.NONE)
        state.recall_triggers()


def _trained(state: State, budget: Budget, clock: Clock) -> Generator[Event, None, Defence]:
    """The defence after its last step; steps are counted on from those of an attempt before."""
    spec, run = state.spec, state.run
    triggers = [*state.triggers, *state.restarts]
    purifier = make(spec.defence, state.subject.model, *budget, triggers, state.settings, spec.seed)
    recorded = max((event.step for _, event in run.events() if isinstance(event, Step)), default=0)
    before = state.given_up
    checkpoint = run.read_checkpoint()
    if checkpoint:
        purifier.restore(*checkpoint)
    try:
        for taken in purifier.steps():
            step = replace(taken, step=before + taken.step, total=before + taken.total)
            if step.step > recorded:  # steps done again after a crash are on record already
                yield Step(step.step, step.total, round(step.lr, 6), {k: round(v, 4) for k, v in step.losses.items()})
            yield from _drawn(state, wait=False)
            if state.frames and state.frames.due(step):
                yield from _frame(state, purifier.result(), step.step)
            if step.step % 5 == 0:
                yield clock.progress("purify", step.step, step.total)
            if step.step % CHECKPOINT_EVERY == 0:
                run.write_checkpoint(*purifier.state())
            if run.control != "run":  # what has been seen is told before a pause
                yield from _drawn(state)
            state.steering.check()
    except BaseException as end:
        if purifier.done:
            run.write_checkpoint(*purifier.state())
        if not isinstance(end, GeneratorExit):  # then nobody listens any more
            yield from _drawn(state)
        raise
    run.write_checkpoint(*purifier.state())
    yield from _drawn(state)
    state.steps = before + purifier.done
    return purifier


def _verify(state: State, purifier: Defence | None, clean_images: int) -> Iterator[Event]:
    clock = Clock(state.steering)
    yield StageStarted("verify")
    after: Measured | None = None
    held: bool | None = None
    verified: Verified | None = None
    if purifier is not None:
        model, after, held = state.kept or _held(state, purifier)
        verified, worst = yield from _proof(state, model, after, clock)
        if after.asr_kind == "estimated" and verified.asr is not None:
            after = replace(after, asr=max(after.asr, verified.asr))
        if state.frames and state.last and state.last.step > 0:
            if worst and after.asr_kind == "estimated":  # what nobody trained against, last on the map
                state.frames.retrigger(worst)
            yield from _frame(state, model, state.steps)
            yield from _drawn(state)
        looks.write(state, model)
        yield verified
        yield after
        if held and (verified.cure != "failed" or state.spec.accept == "not-cured"):
            outcome.hand_out(state, model, after, verified)  # else the original stays the better choice
    else:
        looks.write(state, None)
    state.seconds["verify"] = round(clock.seconds(), 2)
    yield Finished(outcome.result(state, after, held, clean_images, verified))


def _held(state: State, purifier: Defence) -> Kept:
    """The purified model, its figures, and whether BA holds."""
    model, most = purifier.result(best=True), state.settings.most_drop
    after = outcome.measured(state, model, "after")
    assert state.before is not None
    return model, after, not most or state.before.ba - after.ba <= most


def _proof(
    state: State, model: Classifier, after: Measured, clock: Clock
) -> Generator[Event, None, tuple[Verified, Reconstructed | None]]:
    """What tests that the purification never saw say of the purified model, and the worst trigger among them.

    The fresh triggers go on record.
    """
    scanned = state.scanned
    known = state.spec.target is not None or state.subject.card is not None
    signs = scanned is not None and scanned.verdict != "none"
    proof = Proof(
        victim=state.subject.model,
        purified=model,
        images=state.images.x_test,
        labels=state.images.y_test,
        target=state.attack_target,
        known=state.triggers,
        seed=state.spec.seed,
        true_asr=after.asr if after.asr_kind == "true" else None,
        trigger=state.subject.trigger,
        found=known or signs,
    )
    steps, told = Returning(proof.steps()), 0
    for done, total in steps:
        state.steering.check()
        if done >= told + total // 60:
            told = done
            yield clock.progress("verify", done, total)
    verified: Verified = steps.result
    if proof.fresh:
        verified = replace(verified, trigger=written(state, proof.fresh[:FRESH_KEPT], Confidence.SURE, "fresh"))
    return verified, next(iter(proof.fresh), None)
