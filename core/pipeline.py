"""One run from start to end: measure, scan, purify, measure again; a stream of events.

The stages write what they make (frames, trigger, checkpoints, model) through the run's record and say
so in events; nothing else leaves the engine. A run that was cut off goes on from what its record holds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from core.data import load
from core.data.budget import clean_budget
from core.data.imageset import ImageSet
from core.defenses.mcl import Purifier
from core.defenses.settings import MCLSettings, settings_for
from core.device import choose as choose_device
from core.errors import BadInput
from core.events import AsrKind, Event, Finished, Frame, Measured, Progress, Scanned, Stage, StageStarted, Step
from core.frames import FrameTaker
from core.inversion.scan import Scan, scan
from core.inversion.trigger import Reconstructed
from core.inversion.verdict import judge
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.export import write_model
from core.runs.arrays import FORMS
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering
from core.subject import Subject, load_subject

CHECKPOINT_EVERY = 10  # steps
CERTAINTY = {"strong": 1.0, "some": 1.0, "none": 0.5}  # of the found target, by verdict
TRIGGERED = 5000  # test images that an estimated ASR is taken on: within half a point of all of them


@dataclass
class _State:
    """What the stages hand on to one another."""

    run: Run
    steering: Steering
    spec: Spec
    images: ImageSet
    subject: Subject
    device: torch.device
    settings: MCLSettings
    frames: FrameTaker | None = None
    triggers: list[Reconstructed] = field(default_factory=list)
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

    def trigger(self, x: torch.Tensor) -> torch.Tensor:
        """The real trigger where it is known, else the reconstructed one that shows the backdoor best."""
        return self.subject.trigger(x) if self.subject.trigger else self.triggers[0](x)

    def recall_triggers(self) -> None:
        """The reconstructed triggers, as the record has them."""
        found = self.run.triggers()
        if found is None:
            return
        masks, patterns = (torch.from_numpy(part).to(self.device) for part in (found.masks, found.patterns))
        self.triggers = [
            Reconstructed(FORMS[form], pattern, mask if FORMS[form] == "mask" else None, int(target), float(sure))
            for form, target, sure, mask, pattern in zip(
                found.forms, found.targets, found.certainty, masks, patterns, strict=True
            )
        ]


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
    settings = settings_for(spec.preset, images.name, **spec.settings)  # a mistake in them is told before the scan
    state = _State(run, steering, spec, images, subject, device, settings)
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
        elif isinstance(event, Scanned):
            state.recall_triggers()
            state.scanned = event if state.triggers else None
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
        yield from _drawn(state)


def _frame(state: _State, model: Classifier, step: int) -> Iterator[Event]:
    """Begins a frame; it is drawn in the background, and ``_drawn`` tells of it."""
    yield from _drawn(state)
    assert state.frames is not None
    state.frames.look(model, step)


def _drawn(state: _State, wait: bool = True) -> Iterator[Event]:
    """The frame that was begun last, unless that was told already; without ``wait`` only if it is done."""
    frame = state.frames.drawn(wait) if state.frames else None
    if frame is not None:
        state.last = frame
        yield frame


def _measured(state: _State, model: Classifier, when: Any) -> Measured:
    """BA over the whole test set, and ASR: true, over all of it, or estimated, with the trigger that works best."""
    labels, target = state.images.y_test, state.attack_target
    clean = answers(model, state.images.x_test).cpu()
    away = torch.nonzero(labels != target).flatten()
    if state.asr_kind == "estimated":
        away = away[:: -(-len(away) // TRIGGERED)]
    rates = [
        attack_success_rate(answers(model, state.images.x_test[away], trigger).cpu(), labels[away], target)
        for trigger in ([state.subject.trigger] if state.subject.trigger else state.triggers)
    ]
    return Measured(
        when=when,
        ba=round(benign_accuracy(clean, labels), 2),
        ba_without_target=round(benign_accuracy(clean, labels, leave_out=target), 2),
        asr=round(max(rates), 2),
        asr_kind=state.asr_kind,
        clean_images=len(labels),
        triggered_images=len(away),
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
        found: Scan | None = None
        told = 0
        for done, total, result in scan(state.subject.model, images, seed=state.spec.seed):
            state.steering.check()
            found = result
            if done >= told + 5 or (found is not None and told < total):
                told = done
                yield clock.progress("scan", done, total)
        assert found is not None
        state.scanned = _scanned(state, found)
        state.recall_triggers()
        yield state.scanned
    state.seconds["scan"] = round(clock.seconds(), 2)


def _scanned(state: _State, found: Scan) -> Scanned:
    verdict, main = judge(found), found.main
    given = state.spec.target
    certainty = 1.0 if given is not None else CERTAINTY[verdict.grade]
    file = state.run.write_triggers(
        [
            (trigger.form, trigger.target, certainty, trigger.mask if trigger.mask is None else trigger.mask.cpu(),
             trigger.pattern.cpu())
            for trigger in found.triggers(given)
        ]
    )  # fmt: skip
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


def _purify(state: _State, budget: tuple[torch.Tensor, torch.Tensor]) -> Generator[Event, None, Classifier]:
    """Purifies a copy of the model; returns it."""
    clock = _Clock(state.steering)
    yield StageStarted("purify")
    spec, run = state.spec, state.run
    triggers = state.triggers[: state.settings.triggers]
    purifier = Purifier(state.subject.model, *budget, triggers, state.settings, spec.seed)
    recorded = max((event.step for _, event in run.events() if isinstance(event, Step)), default=0)
    checkpoint = run.read_checkpoint()
    if checkpoint:
        purifier.restore(*checkpoint)
    try:
        for step in purifier.steps():
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
    state.steps = purifier.done
    model = purifier.result(best=True)
    state.seconds["purify"] = round(clock.seconds(), 2)
    return model


def _verify(state: _State, model: Classifier, clean_images: int) -> Iterator[Event]:
    clock = _Clock(state.steering)
    yield StageStarted("verify")
    before, after = state.before, None
    assert before is not None
    assert state.scanned is not None
    held: bool | None = None
    if not state.spec.scan_only:
        if state.frames and state.last and state.last.step > 0:
            yield from _frame(state, model, state.steps)
            yield from _drawn(state)
        after = _measured(state, model, "after")
        yield after
        held = not state.settings.most_drop or after.ba >= before.ba - state.settings.most_drop
        if held:  # else nothing is handed out: the original stays the better choice
            _hand_out(state, model, after)
    state.seconds["verify"] = round(clock.seconds(), 2)
    first = next((event for _, event in state.run.events() if isinstance(event, Frame)), None)
    result: dict[str, Any] = {
        "target": state.target,
        "target_name": state.images.class_names[state.target],
        "anomaly_index": state.scanned.anomaly_index,
        "verdict": state.scanned.verdict,
        "evidence": state.scanned.facts,
        "ba_held": held,
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
        "found": [asdict(fact) for fact in state.subject.found],
        "tried": [{"name": tried.name, "accuracy": round(tried.accuracy, 2)} for tried in state.subject.tried],
        "out": str(state.run.folder),
    }
    yield Finished(result)


def _hand_out(state: _State, model: Classifier, after: Measured) -> None:
    """The purified weights, under the names they came in with, and a card that says where they come from."""
    subject, before = state.subject, state.before
    assert before is not None
    facts = {
        "arch": subject.arch, "normalize": subject.normalize, "images": state.images.name, "target": state.target,
        "asr_kind": before.asr_kind, "ba_before": before.ba, "ba_after": after.ba, "asr_before": before.asr,
        "asr_after": after.asr, "defence": state.spec.defence, "preset": state.spec.preset, "seed": state.spec.seed,
    }  # fmt: skip
    source = subject.card.weights if subject.card else Path(str(state.spec.weights))
    write_model(state.run.folder, subject.weights, model.net.state_dict(), facts, source=source)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
