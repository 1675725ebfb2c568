"""One run from start to end, as a stream of events: load, measure, scan, purify, verify.

Where the proof of a purification names a further class, the last three stages are repeated against that class.

The stages write their results (frames, triggers, checkpoints, weights) to the run's record and report them by events.
Nothing else leaves the engine. An interrupted run goes on from what its record has.

``Context`` is the fixed part of a run. ``State`` has what the stages have found out. The purification under way and its
model are passed from stage to stage as return values.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from core.compute.device import choose as choose_device
from core.data import load
from core.data.budget import clean_budget
from core.data.enough import ENOUGH, enough
from core.data.imageset import ImageSet
from core.defenses import settings_for
from core.engine import earlier_scan, looks, outcome
from core.engine.context import Context
from core.engine.finding import Budget, find, find_again
from core.engine.proven import Proven, last_held
from core.engine.proving import prove
from core.engine.purification import purify
from core.engine.state import Clock, State
from core.engine.subject import load_subject
from core.errors import BadInput
from core.events import Answered, Event, Finished, Repeated, StageStarted
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering


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
    state.spent("load", clock)
    steering.check()
    yield from _measure(state)
    if state.context.needs_scan:
        yield from find(state, budget)
    if subject.trigger is None:
        yield from _measure_after_scan(state)
    proven = [] if spec.scan_only else (yield from _purify(state, budget))
    yield from _hand_out(state, proven, len(chosen))


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
    state.spent("measure", clock)


def _measure_after_scan(state: State) -> Iterator[Event]:
    """Figures and first frame of a model of unknown attack, with the triggers that the scan reconstructed."""
    clock = Clock(state.context.steering)
    yield from _figures_before(state)
    state.spent("measure", clock)


def _figures_before(state: State) -> Iterator[Event]:
    yield from state.map.open(state.trigger, state.attack_target)
    if state.before is None:
        state.before = outcome.measured(state, state.context.subject.model, "before", state.clean_answers)
        yield state.before


def _purify(state: State, budget: Budget) -> Generator[Event, None, list[Proven]]:
    """Purifies and proves; again, from the model as it is, as long as a proof names a further class.

    Returns:
        all purifications of the run in their order, those of earlier workers too; at least one.
    """
    while True:
        try:
            if state.earlier:
                yield Repeated(state.number, state.current_target)
                if not (yield from find_again(state, budget)):
                    return state.earlier  # nothing to purify against: what was purified before stands
            purification = yield from purify(state, budget)
            proven = yield from prove(state, purification)
        except BadInput as error:
            if error.code != "training_diverged" or not state.earlier:
                raise
            return state.earlier  # what was purified before stands
        if not _goes_on(state, proven):
            return [*state.earlier, proven]
        yield proven.verified
        yield proven.purified.after
        state.keep(proven)


def _goes_on(state: State, proven: Proven) -> bool:
    """Whether another purification follows, against a further class; where BA was lost there is none to go on from."""
    allowed = len(state.earlier) < state.context.spec.most_repeats
    return allowed and proven.second is not None and proven.purified.ba_held


def _hand_out(state: State, proven: list[Proven], clean_images: int) -> Iterator[Event]:
    """The weights of the purification that counts if they are accepted, its figures, and the result.

    Args:
        proven: the purifications of the run; none if it was a scan.
        clean_images: number of images in the clean budget.
    """
    clock = Clock(state.context.steering)
    kept = last_held(proven) if proven else None
    if kept is None:
        yield StageStarted("verify")
    else:
        # an estimate's last frame shows a trigger that was not trained against
        worst = kept.worst if kept.purified.after.asr_kind == "estimated" else None
        yield from state.map.last_frame(kept.purified.model, proven[-1].steps, worst)
        yield kept.verified
        yield kept.purified.after
        if kept.purified.ba_held and (kept.verified.cure != "failed" or state.context.spec.accept == "not-cured"):
            outcome.write_purified(state, kept)  # otherwise the original is the better choice
    looks.write(state, kept.purified.model if kept else None)
    state.spent("verify", clock)
    yield Finished(outcome.result(state, clean_images, proven))
