"""One run from start to end: measure, scan, purify, measure again; a stream of events.

The stages write what they make (frames, trigger, checkpoints, model) through the run's record and say
so in events; nothing else leaves the engine. A run that was cut off goes on from what its record holds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from core.data import load
from core.data.budget import clean_budget
from core.data.imageset import ImageSet
from core.defenses.mcl import Purifier, settings_for
from core.device import choose as choose_device
from core.errors import BadInput
from core.events import AsrKind, Event, Finished, Frame, Measured, Progress, Scanned, Stage, StageStarted, Step
from core.frames import FrameTaker
from core.inversion.anomaly import anomaly_index
from core.inversion.mask_pattern import Inverted, invert, stamp
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import save_weights
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering
from core.subject import Subject, load_subject

CHECKPOINT_EVERY = 10  # steps


@dataclass
class _State:
    """What the stages hand on to one another."""

    run: Run
    steering: Steering
    spec: Spec
    images: ImageSet
    subject: Subject
    device: torch.device
    frames: FrameTaker | None = None
    before: Measured | None = None
    scanned: Scanned | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    last: Frame | None = None

    @property
    def target(self) -> int:
        """The class the purification works against: given, or found."""
        if self.spec.target is not None:
            return self.spec.target
        assert self.scanned is not None
        return self.scanned.target

    @property
    def asr_kind(self) -> AsrKind:
        return "true" if self.subject.trigger else "estimated"

    @property
    def attack_target(self) -> int:
        """The class that ASR is counted for: the real one where it is known."""
        return self.subject.card.target if self.subject.card else self.target

    def reconstructed(self, x: torch.Tensor) -> torch.Tensor:
        trigger = self.run.trigger()
        assert trigger is not None
        return stamp(x, torch.from_numpy(trigger.mask).to(x), torch.from_numpy(trigger.pattern).to(x))

    def trigger(self, x: torch.Tensor) -> torch.Tensor:
        """The real trigger where it is known, else the reconstructed one."""
        return self.subject.trigger(x) if self.subject.trigger else self.reconstructed(x)


class _Clock:
    """Seconds a stage has worked, pauses left out, and what that says of the rest."""

    def __init__(self, steering: Steering) -> None:
        self.steering = steering
        self.start = time.monotonic() - steering.paused_seconds

    def seconds(self) -> float:
        return time.monotonic() - self.start - self.steering.paused_seconds

    def progress(self, stage: Stage, done: int, total: int) -> Progress:
        left = round(self.seconds() / done * (total - done), 1) if done else None
        return Progress(stage, done, total, left)


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
        from core.projection import warm_up

        threading.Thread(target=warm_up, args=(spec.projection, spec.dims), daemon=True).start()
    clock = _Clock(steering)
    yield StageStarted("load")
    device = choose_device(spec.device)
    images = load(spec.images)
    subject = load_subject(spec, images)
    subject.model.to(device)
    if spec.target is not None and spec.target >= images.num_classes:
        raise BadInput(
            "target_out_of_range",
            f"The target class {spec.target} must be from 0 to {images.num_classes - 1}.",
            target=spec.target, most=images.num_classes - 1,
        )  # fmt: skip
    settings_for(spec.preset, images.name, **spec.settings)  # a mistake in them is told now, not after the scan
    state = _State(run, steering, spec, images, subject, device)
    _recall(state)
    chosen = clean_budget(images.y_train, spec.clean_budget, images.num_classes, spec.seed)
    budget = images.x_train[chosen], images.y_train[chosen]
    facts: dict[str, Any] = {"classes": list(images.class_names), "device": _device_name(device)}
    if subject.card:
        facts |= {"victim_sha256": subject.card.sha256, "true_target": subject.card.target}
    run.update(**facts)
    state.seconds["load"] = round(clock.seconds(), 2)
    steering.check()
    yield from _measure(state)
    yield from _scan(state, budget[0])
    if subject.trigger is None:
        yield from _measure_before_estimated(state)
    model = subject.model
    if not spec.scan_only:
        model = yield from _purify(state, budget)
    yield from _verify(state, model, len(chosen))


def _recall(state: _State) -> None:
    """What an earlier worker of this run has already found out."""
    for _, event in state.run.events():
        if isinstance(event, Measured) and event.when == "before":
            state.before = event
        elif isinstance(event, Scanned) and state.run.trigger() is not None:
            state.scanned = event
        elif isinstance(event, Frame):
            state.last = event


def _open_map(state: _State) -> Iterator[Event]:
    """The sample set and the first frame, unless the record has them."""
    if not state.spec.map or state.frames:
        return
    state.frames = FrameTaker(
        state.run, state.images, state.trigger, state.attack_target, state.asr_kind, state.device, state.last
    )
    if state.last is None:
        yield from _frame(state, state.subject.model, 0)


def _frame(state: _State, model: Classifier, step: int) -> Iterator[Event]:
    assert state.frames is not None
    state.last = state.frames.take(model, step)
    yield state.last


def _measured(state: _State, model: Classifier, when: Any) -> Measured:
    """BA and ASR over the whole test set."""
    labels, target = state.images.y_test, state.attack_target
    away = labels != target
    clean = answers(model, state.images.x_test).cpu()
    attacked = answers(model, state.images.x_test[away], state.trigger).cpu()
    return Measured(
        when=when,
        ba=round(benign_accuracy(clean, labels), 2),
        ba_without_target=round(benign_accuracy(clean, labels, leave_out=target), 2),
        asr=round(attack_success_rate(attacked, labels[away], target), 2),
        asr_kind=state.asr_kind,
        clean_images=len(labels),
        triggered_images=int(away.sum()),
    )


def _measure(state: _State) -> Iterator[Event]:
    clock = _Clock(state.steering)
    yield StageStarted("measure")
    if state.subject.trigger:
        yield from _open_map(state)
        if state.before is None:
            state.before = _measured(state, state.subject.model, "before")
            yield state.before
    state.steering.check()
    state.seconds["measure"] = round(clock.seconds(), 2)


def _measure_before_estimated(state: _State) -> Iterator[Event]:
    """For a stranger's model: there is a trigger to measure with only now."""
    clock = _Clock(state.steering)
    yield from _open_map(state)
    if state.before is None:
        state.before = _measured(state, state.subject.model, "before")
        yield state.before
    state.seconds["measure"] = round(state.seconds["measure"] + clock.seconds(), 2)


def _scan(state: _State, images: torch.Tensor) -> Iterator[Event]:
    clock = _Clock(state.steering)
    yield StageStarted("scan")
    if state.scanned is None:
        found: Inverted | None = None
        for done, total, result in invert(state.subject.model, images, seed=state.spec.seed):
            state.steering.check()
            found = result
            if done % 5 == 0 or done == total:
                yield clock.progress("scan", done, total)
        assert found is not None
        state.scanned = _scanned(state, found)
        yield state.scanned
    state.seconds["scan"] = round(clock.seconds(), 2)


def _scanned(state: _State, found: Inverted) -> Scanned:
    index = anomaly_index(found.sizes)
    target = found.smallest
    used = target if state.spec.target is None else state.spec.target
    file = state.run.write_trigger(found.masks[used].cpu(), found.patterns[used].cpu())
    sizes = [round(size, 2) if size != float("inf") else None for size in found.sizes.tolist()]
    rates = [round(100 * rate, 1) for rate in found.attack_rates.tolist()]
    return Scanned(target, round(float(index[target]), 2), sizes, rates, file)


def _purify(state: _State, budget: tuple[torch.Tensor, torch.Tensor]) -> Generator[Event, None, Classifier]:
    """Purifies a copy of the model; returns it."""
    clock = _Clock(state.steering)
    yield StageStarted("purify")
    spec, run = state.spec, state.run
    settings = settings_for(spec.preset, state.images.name, **spec.settings)
    # read once, not at every step as state.reconstructed would
    trigger = run.trigger()
    assert trigger is not None
    mask, pattern = (torch.from_numpy(part).to(state.device) for part in trigger)
    purifier = Purifier(
        state.subject.model, *budget, lambda x: stamp(x, mask, pattern), state.target, settings, spec.seed
    )
    recorded = max((event.step for _, event in run.events() if isinstance(event, Step)), default=0)
    checkpoint = run.read_checkpoint()
    if checkpoint:
        purifier.restore(*checkpoint)
    try:
        for step in purifier.steps():
            if step.step > recorded:  # steps done again after a crash are on record already
                yield Step(step.step, step.total, round(step.lr, 6), {k: round(v, 4) for k, v in step.losses.items()})
            if state.frames and state.frames.due(step):
                yield from _frame(state, purifier.result(), step.step)
            if step.step % 5 == 0:
                yield clock.progress("purify", step.step, step.total)
            if step.step % CHECKPOINT_EVERY == 0:
                run.write_checkpoint(*purifier.state())
            state.steering.check()
    except BaseException:
        if purifier.done:
            run.write_checkpoint(*purifier.state())
        raise
    run.write_checkpoint(*purifier.state())
    state.steps = purifier.done
    state.seconds["purify"] = round(clock.seconds(), 2)
    return purifier.result(best=True)


def _verify(state: _State, model: Classifier, clean_images: int) -> Iterator[Event]:
    clock = _Clock(state.steering)
    yield StageStarted("verify")
    before, after = state.before, None
    assert before is not None
    assert state.scanned is not None
    if not state.spec.scan_only:
        tensors = state.subject.weights.named_as_in_file(model.net.state_dict())
        save_weights(state.run.folder / "model.safetensors", tensors)
        if state.frames and state.last and state.last.step > 0:
            yield from _frame(state, model, state.steps)
        after = _measured(state, model, "after")
        yield after
    state.seconds["verify"] = round(clock.seconds(), 2)
    first = next((event for _, event in state.run.events() if isinstance(event, Frame)), None)
    result: dict[str, Any] = {
        "target": state.target,
        "target_name": state.images.class_names[state.target],
        "anomaly_index": state.scanned.anomaly_index,
        "asr_kind": before.asr_kind,
        "ba_before": before.ba,
        "ba_after": after and after.ba,
        "asr_before": before.asr,
        "asr_after": after and after.asr,
        "dissolution_before": first and first.dissolution,
        "dissolution_after": state.last and state.last.dissolution,
        "clean_images": clean_images,
        "steps": state.steps,
        "seconds": state.seconds,
        "device": _device_name(state.device),
        "arch": state.subject.arch,
        "normalize": state.subject.normalize,
        "out": str(state.run.folder),
    }
    yield Finished(result)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
