"""What comes of a run: figures over the whole test set, the weights that are handed out, and the result."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch

from core.engine.state import State
from core.events import Frame, Measured, Verified
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.export import write_model

TRIGGERED = 5000  # test images that an estimated ASR is taken on: within half a point of all of them


def answered(state: State, model: Classifier) -> torch.Tensor:
    """What the model takes the test images for, int64, (n,), on the CPU."""
    return answers(model, state.images.x_test).cpu()


def accuracy(state: State, clean: torch.Tensor) -> float:
    """BA, percent, as it is told, of ``answered`` images."""
    return round(benign_accuracy(clean, state.images.y_test), 2)


def measured(
    state: State, model: Classifier, when: Literal["before", "after"], clean: torch.Tensor | None = None
) -> Measured:
    """BA over the whole test set, and ASR: true, over all of it, or estimated, with the trigger that works best.

    Args:
        clean: what ``answered`` gives, where that is known.
    """
    labels, target = state.images.y_test, state.attack_target
    clean = answered(state, model) if clean is None else clean
    away = torch.nonzero(labels != target).flatten()
    if state.asr_kind == "estimated":
        away = away[:: max(1, -(-len(away) // TRIGGERED))]
    rates = [
        attack_success_rate(answers(model, state.images.x_test[away], trigger).cpu(), labels[away], target)
        for trigger in ([state.subject.trigger] if state.subject.trigger else state.triggers)
    ]
    return Measured(
        when=when,
        ba=accuracy(state, clean),
        ba_without_target=round(benign_accuracy(clean, labels, leave_out=target), 2),
        asr=round(max(rates), 2),
        asr_kind=state.asr_kind,
        clean_images=len(labels),
        triggered_images=len(away),
    )


def hand_out(state: State, model: Classifier, after: Measured, verified: Verified) -> None:
    """The purified weights, under the names they came in with, and a card that says where they come from."""
    subject, before = state.subject, state.before
    assert before is not None
    facts = {
        "arch": subject.arch, "normalize": subject.normalize, "mean": _numbers(subject.model.mean),
        "std": _numbers(subject.model.std), "images": state.images.name, "target": state.target,
        "asr_kind": before.asr_kind, "ba_before": before.ba, "ba_after": after.ba, "asr_before": before.asr,
        "asr_after": after.asr, "defence": state.spec.defence, "preset": state.spec.preset, "seed": state.spec.seed,
        "cure": verified.cure, "cure_reasons": verified.reasons, "proof": verified.evidence,
    }  # fmt: skip
    source = subject.card.weights if subject.card else Path(str(state.spec.weights))
    noted = (state.run.data.get("inputs") or {}).get("weights")  # as it was read: another may lie there by now
    came_from = subject.card.sha256 if subject.card else noted
    card = write_model(state.run.folder, subject.weights, model.net.state_dict(), facts, source, came_from)
    state.run.update(outputs={name: entry["sha256"] for name, entry in card["output"].items()})


def _numbers(scaling: torch.Tensor) -> list[float]:
    """One for each channel, in units of [0, 1]."""
    return [round(value, 4) for value in scaling.flatten().tolist()]


def result(
    state: State, after: Measured | None, held: bool | None, clean_images: int, verified: Verified | None
) -> dict[str, Any]:
    """What the run's record and the command line's JSON say of it; None for what was not looked for.

    Args:
        after: None where nothing was purified.
        held: whether BA was; None where nothing was purified.
        clean_images: in the budget.
        verified: the proof of the cure; None where nothing was purified.
    """
    before, scanned, target = state.before, state.scanned, state.target
    assert before is not None
    first = next((event for _, event in state.run.events() if isinstance(event, Frame)), None)
    return {
        "target": target,
        "target_found": scanned and scanned.target,
        "target_name": None if target is None else state.images.class_names[target],
        "anomaly_index": scanned and scanned.anomaly_index,
        "verdict": scanned and scanned.verdict,
        "evidence": scanned and scanned.facts,
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
        "cure": verified and verified.cure,
        "cure_reasons": verified.reasons if verified else [],
        "proof": verified.evidence if verified else {},
        "stamps": state.stamps,
        "given_up": bool(state.given_up),
        "seconds": {name: round(spent + state.earlier.get(name, 0.0), 2) for name, spent in state.seconds.items()},
        "device": device_name(state.device),
        "arch": state.subject.arch,
        "names": state.subject.weights.other_names(),
        "normalize": state.subject.normalize,
        "found": [asdict(fact) for fact in state.subject.found],
        "tried": [{"name": tried.name, "accuracy": round(tried.accuracy, 2)} for tried in state.subject.tried],
        "out": str(state.run.folder),
    }


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
