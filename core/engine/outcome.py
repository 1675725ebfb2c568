"""The outcome of a run: figures over the whole test set, the weights that are written, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from core.engine.proven import Proven, Purified, last_held
from core.engine.state import State
from core.events import Frame, Measured
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.export import write_model
from core.training.finite import require_finite

if TYPE_CHECKING:
    from core.defenses import Defence

ESTIMATE_IMAGES = 5000  # test images for an estimated ASR, at most; within half a point of the figure on all
MIN_TARGET_IMAGES = 20  # of the target class, for an accuracy of its own


def answered(state: State, model: Classifier) -> torch.Tensor:
    """The model's answers to the test images, int64, (n,), on the CPU."""
    return answers(model, state.context.images.x_test).cpu()


def accuracy(state: State, clean: torch.Tensor) -> float:
    """BA, percent, rounded as it is reported, of the answers ``clean``."""
    return round(benign_accuracy(clean, state.context.images.y_test), 2)


def measured(
    state: State, model: Classifier, when: Literal["before", "after"], clean: torch.Tensor | None = None
) -> Measured:
    """BA over the whole test set and of the target class, and ASR.

    It is the true one, or an estimate with the target's most successful trigger.

    Args:
        clean: the result of ``answered``, if it is known; computed otherwise.
    """
    labels, target = state.context.images.y_test, state.attack_target
    clean = answered(state, model) if clean is None else clean
    not_target, own = torch.nonzero(labels != target).flatten(), labels == target
    if state.context.asr_kind == "estimated":
        not_target = not_target[:: max(1, -(-len(not_target) // ESTIMATE_IMAGES))]
    real, images = state.context.subject.trigger, state.context.images.x_test[not_target]
    triggers = [real] if real else [trigger for trigger in state.triggers if trigger.target == target]
    rates = [
        attack_success_rate(answers(model, images, trigger).cpu(), labels[not_target], target) for trigger in triggers
    ]
    return Measured(
        when=when,
        ba=accuracy(state, clean),
        ba_without_target=round(benign_accuracy(clean, labels, leave_out=target), 2),
        asr=round(max(rates), 2),
        asr_kind=state.context.asr_kind,
        clean_images=len(labels),
        triggered_images=len(not_target),
        target_ba=round(benign_accuracy(clean[own], labels[own]), 2) if int(own.sum()) >= MIN_TARGET_IMAGES else None,
    )


def measure_purified(state: State, defence: Defence) -> Purified:
    """The best model of a defence after its last step, measured.

    Raises:
        BadInput: ``training_diverged``: it is not made of finite numbers, whatever the steps before it were.
    """
    assert state.before is not None
    model, settings = defence.result(best=True), state.context.settings
    rate, most_drop = settings.lr, settings.most_drop
    require_finite((), model.net, defence.done, max(rate) if isinstance(rate, tuple) else rate)
    after = measured(state, model, "after")
    return Purified(model, after, not most_drop or state.before.ba - after.ba <= most_drop)


def write_purified(state: State, proven: Proven) -> None:
    """Writes the purified weights, under the names they came with, and a card with their origin and figures."""
    purified, verified = proven.purified, proven.verified
    subject, before, after = state.context.subject, state.before, purified.after
    assert before is not None
    facts = {
        "arch": subject.arch, "normalize": subject.normalize, "mean": _numbers(subject.model.mean),
        "std": _numbers(subject.model.std), "images": state.context.images.name, "target": state.target,
        "asr_kind": before.asr_kind, "ba_before": before.ba, "ba_after": after.ba, "asr_before": before.asr,
        "asr_after": after.asr, "defence": state.context.spec.defence, "preset": state.context.spec.preset, "seed":
        state.context.spec.seed, "cure": verified.cure, "cure_reasons": verified.reasons, "proof": verified.evidence,
    }  # fmt: skip
    source = subject.card.weights if subject.card else Path(str(state.context.spec.weights))
    # the hash noted when the file was read: by now another file may be there
    noted = (state.context.run.data.get("inputs") or {}).get("weights")
    came_from = subject.card.sha256 if subject.card else noted
    card = write_model(
        state.context.run.folder, subject.weights, purified.model.net.state_dict(), facts, source, came_from
    )
    state.context.run.update(outputs={name: entry["sha256"] for name, entry in card["output"].items()})


def _numbers(scaling: torch.Tensor) -> list[float]:
    """One number for each channel, in units of [0, 1]."""
    return [round(value, 4) for value in scaling.flatten().tolist()]


def result(state: State, clean_images: int, proven: Sequence[Proven]) -> dict[str, Any]:
    """The result in the run's record and in the command line's JSON; None for what was not examined.

    Args:
        clean_images: number of images in the clean budget.
        proven: the purifications of the run; none if it was a scan.
    """
    kept = last_held(proven) if proven else None
    purified, verified = (kept.purified, kept.verified) if kept else (None, None)
    before, scanned, target = state.before, state.scanned, state.target
    assert before is not None
    after = purified and purified.after
    first = next((event for _, event in state.context.run.events() if isinstance(event, Frame)), None)
    return {
        "target": target,
        "target_found": scanned and scanned.target,
        "target_name": None if target is None else state.context.images.class_names[target],
        "anomaly_index": scanned and scanned.anomaly_index,
        "verdict": scanned and scanned.verdict,
        "evidence": scanned and scanned.facts,
        "ba_held": purified and purified.ba_held,
        "asr_kind": before.asr_kind,
        "ba_before": before.ba,
        "ba_after": after and after.ba,
        "asr_before": before.asr,
        "asr_after": after and after.asr,
        "dissolution_before": first and first.dissolution,
        "dissolution_after": state.map.last and state.map.last.dissolution,
        "clean_images": clean_images,
        "steps": proven[-1].steps if proven else 0,
        "cure": verified and verified.cure,
        "cure_reasons": verified.reasons if verified else [],
        "proof": verified.evidence if verified else {},
        "purifications": [one.figures(one is kept) for one in proven],
        "stamps": proven[0].stamps if proven else None,
        "given_up": bool(state.abandoned_steps),
        "seconds": {
            name: round(spent + state.earlier_seconds.get(name, 0.0), 2) for name, spent in state.seconds.items()
        },
        "device": device_name(state.context.device),
        "arch": state.context.subject.arch,
        "names": state.context.subject.weights.other_names(),
        "normalize": state.context.subject.normalize,
        "found": [asdict(fact) for fact in state.context.subject.found],
        "tried": [{"name": tried.name, "accuracy": round(tried.accuracy, 2)} for tried in state.context.subject.tried],
        "out": str(state.context.run.folder),
    }


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
