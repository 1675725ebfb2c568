"""One run from start to end, as a stream of events: load, measure, scan, purify, verify.

The stages write their results (frames, triggers, checkpoints, weights) to the run's record and report them by events.
Nothing else leaves the engine. An interrupted run goes on from what its record has.

``Context`` is the fixed part of a run. ``State`` has what the stages have found out. The purification and its model are
passed from stage to stage as return values.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from core.compute.device import choose as choose_device
from core.compute.returning import Returning
from core.data import load
from core.data.budget import clean_budget
from core.data.enough import ENOUGH, enough
from core.data.imageset import ImageSet
from core.defenses import settings_for
from core.engine import earlier_scan, looks, outcome
from core.engine.context import Context
from core.engine.finding import find, write_triggers
from core.engine.outcome import Purified
from core.engine.purification import Purification, purify
from core.engine.state import Clock, State
from core.engine.subject import load_subject
from core.errors import BadInput
from core.events import Answered, Event, Finished, StageStarted, Verified
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering
from core.scan.verdict import other_suspects
from core.triggers.reconstructed import Confidence, Reconstructed
from core.verify.proof import Proof

RECORDED_FRESH = 4  # triggers of the proof that are written to the record at most, the most successful first
PROOF_REPORTS = 60  # progress events of the proof, about


def run(run: Run, steering: Steering) -> Iterator[Event]:
    """Carries out ``run.spec``.

    Yields:
        events; ``Finished`` is the last.

    Raises:
        BadInput: an input cannot be used.
        Stopped: the user stopped the run; a checkpoint was written if any step was done.
    """
    spec = run.spec
    if spec.map:
        # loads the libraries of the map in the background, while the model is loaded, measured and scanned
        from core.featuremap import warm_up

        threading.Thread(target=warm_up, args=(spec.projection, spec.dims), daemon=True).start()
    clock = Clock(steering)
    yield StageStarted("load")
    device = choose_device(spec.device)
    inputs = hashes.bind(run)
    images = _named(load(spec.images), spec.class_names)
    spec = _with_enough(spec, images)
    subject = load_subject(spec, images)
    inputs.require_same()
    subject.model.on(device)
    if spec.target is not None and spec.target >= images.num_classes:
        raise BadInput(
            "target_out_of_range",
            f"The target class {spec.target} must be from 0 to {images.num_classes - 1}.",
            target=spec.target, most=images.num_classes - 1,
        )  # fmt: skip
    # before the scan, so that wrong settings are reported at once
    settings = settings_for(spec.defence, spec.preset, images.name, **spec.settings)
    state = State(Context(run, steering, spec, images, subject, device, settings))
    state.recall()
    chosen = clean_budget(images.y_train, spec.clean_budget, images.num_classes, spec.seed)
    budget = images.x_train[chosen], images.y_train[chosen]
    facts: dict[str, Any] = {
        "spec": spec.to_dict(),
        "inputs": inputs.hashes,
        "notes": [fact.message for fact in images.notes],
        "classes": list(images.class_names),
        "device": outcome.device_name(device),
        "precision": str(subject.model.precision).removeprefix("torch."),
    }
    if subject.card:
        facts |= {"victim_sha256": subject.card.sha256, "true_target": subject.card.target}
    run.update(**facts)
    earlier_scan.require(state)
    state.seconds["load"] = round(clock.seconds(), 2)
    steering.check()
    yield from _measure(state)
    if state.context.needs_scan:
        yield from find(state, budget)
    if subject.trigger is None:
        yield from _measure_after_scan(state)
    purification = None if spec.scan_only else (yield from purify(state, budget))
    yield from _verify(state, purification, len(chosen))


def _named(images: ImageSet, names: list[str] | None) -> ImageSet:
    """The images with the given class names."""
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
    """The order with its clean budget raised to a sufficient size, if the order allows that."""
    share, available = spec.clean_budget, len(images.y_train)
    if spec.enough and isinstance(share, float) and share * available < ENOUGH:
        return replace(spec, clean_budget=enough(available, images.num_classes))
    return spec


def _measure(state: State) -> Iterator[Event]:
    """Figures and first frame of a victim with a known trigger; without one, only the accuracy is known yet."""
    clock = Clock(state.context.steering)
    yield StageStarted("measure")
    if state.context.subject.trigger:
        yield from _figures_before(state)
    elif state.before is None:
        state.clean_answers = outcome.answered(state, state.context.subject.model)
        yield Answered(outcome.accuracy(state, state.clean_answers), len(state.clean_answers))
    state.context.steering.check()
    state.seconds["measure"] = round(clock.seconds(), 2)


def _measure_after_scan(state: State) -> Iterator[Event]:
    """Figures and first frame of a model of unknown attack, with the triggers that the scan reconstructed."""
    clock = Clock(state.context.steering)
    yield from _figures_before(state)
    state.seconds["measure"] = round(state.seconds["measure"] + clock.seconds(), 2)


def _figures_before(state: State) -> Iterator[Event]:
    yield from state.map.open(state.trigger, state.attack_target)
    if state.before is None:
        state.before = outcome.measured(state, state.context.subject.model, "before", state.clean_answers)
        yield state.before


def _verify(state: State, purification: Purification | None, clean_images: int) -> Iterator[Event]:
    """The proof of the cure, the weights if they are accepted, and the result.

    Args:
        clean_images: number of images in the clean budget.
    """
    clock = Clock(state.context.steering)
    yield StageStarted("verify")
    purified: Purified | None = None
    verified: Verified | None = None
    if purification is not None:
        purified = purification.purified or outcome.measure_purified(state, purification.defence)
        verified, worst = yield from _prove(state, purified, clock)
        estimated = purified.after.asr_kind == "estimated"
        # the triggers of the training flatter the estimate: it is never below what the proof's own triggers reach
        if estimated and verified.asr is not None:
            after = replace(purified.after, asr=max(purified.after.asr, verified.asr))
            purified = replace(purified, after=after)
        # an estimate's last frame shows a trigger that was not trained against
        yield from state.map.last_frame(purified.model, purification.steps, worst if estimated else None)
        yield verified
        yield purified.after
        if purified.ba_held and (verified.cure != "failed" or state.context.spec.accept == "not-cured"):
            outcome.write_purified(state, purified, verified)  # otherwise the original is the better choice
    looks.write(state, purified.model if purified else None)
    state.seconds["verify"] = round(clock.seconds(), 2)
    yield Finished(outcome.result(state, clean_images, purification, purified, verified))


def _prove(
    state: State, purified: Purified, clock: Clock
) -> Generator[Event, None, tuple[Verified, Reconstructed | None]]:
    """The proof of the cure, and the most successful fresh trigger, if any works. Fresh triggers are recorded."""
    context, after = state.context, purified.after
    target_known = context.spec.target is not None or context.subject.card is not None
    signs = state.scanned is not None and state.scanned.verdict != "none"
    proof = Proof(
        victim=context.subject.model,
        purified=purified.model,
        images=context.images.x_test,
        labels=context.images.y_test,
        target=state.attack_target,
        known=state.triggers,
        seed=context.spec.seed,
        true_asr=after.asr if after.asr_kind == "true" else None,
        trigger=context.subject.trigger,
        backdoor_found=target_known or signs,
        suspects=_other_suspects(state),
    )
    steps, reported = Returning(proof.steps()), 0
    for done, total in steps:
        context.steering.check()
        if done >= reported + total // PROOF_REPORTS:
            reported = done
            yield clock.progress("verify", done, total)
    verified: Verified = steps.result
    if proof.fresh:
        file = write_triggers(state, proof.fresh[:RECORDED_FRESH], Confidence.SURE, "fresh")
        verified = replace(verified, trigger=file)
    return verified, next(iter(proof.fresh), None)


def _other_suspects(state: State) -> list[int]:
    """Classes that stood out on the victim beside the one that was purified."""
    if (found := state.scanned) is None:
        return []
    return other_suspects(found.suspicion, found.verdict, found.target, state.attack_target)
