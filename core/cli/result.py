"""How a run that has ended is told: a summary for people, one JSON object for programs."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import table
from core.report import GRADES, Wording, wording
from core.report.proof import is_refused, read
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec

# The contract with other programs: these keys, whatever else a result may hold.
JSON_KEYS = (
    "target", "target_found", "anomaly_index", "verdict", "evidence", "asr_kind", "ba_before", "ba_after", "asr_before",
    "asr_after", "cure", "cure_reasons", "proof", "purifications", "stamps", "arch", "names", "normalize", "seconds",
    "device",
)  # fmt: skip


def withheld(run: Run) -> str | None:
    """Why a run handed nothing out, "not_held" or "not_cured"; None where it did, or had nothing to."""
    told = run.snapshot()
    if told.result.get("ba_held") is False:
        return "not_held"
    return "not_cured" if is_refused(read(told.result), told.spec.accept) else None


def figures(run: Run) -> dict[str, Any]:
    """The one JSON object of ``--json``."""
    result = run.snapshot().result
    return {key: result.get(key) for key in JSON_KEYS} | {"out": str(run.folder)}


def summary(run: Run) -> str:
    """The result for people."""
    result, say = run.snapshot().result, wording(run)
    spec = say.facts.spec
    rows = [
        [label, _figure(result.get(f"{key}_before")), _figure(result.get(f"{key}_after"))]
        for label, key in (("accuracy, %", "ba"), (_rate(result), "asr"))
    ]
    lines = [*_inputs(spec, result), *_signs(say)]
    if spec.scan_only:
        lines.append(table(["", "measured"], [row[:2] for row in rows]))
    else:
        lines.append(table(["", "before", "after"], rows))
    seconds = result.get("seconds") or {}
    spent = ", ".join(f"{stage} {value:.1f} s" for stage, value in seconds.items())
    lines.append(f"Took {spent} on {result.get('device')}" if spent else f"On {result.get('device')}")
    lines += _cure(say)
    purified = next((run.folder / name for name in hashes.HANDED_OUT if (run.folder / name).exists()), None)
    if purified is not None:
        lines.append(f"Purified weights: {purified}")
    lines.append(f"Run: {run.id} in {run.folder}")
    return "\n".join(lines)


def _inputs(spec: Spec, result: dict[str, Any]) -> list[str]:
    """What a stranger's file was taken for, and how well that does: a wrong guess is to be seen."""
    if not spec.weights:
        return []
    tried = result.get("tried") or []
    how = f" ({tried[0]['accuracy']:.1f} % of clean training images right)" if tried else ""
    if len(tried) > 1:
        how += f"; next: {tried[1]['name']} ({tried[1]['accuracy']:.1f} %)"
    facts = [fact["message"] for fact in result.get("found") or []]
    used = f"Clean images used: {result['clean_images']:,}"
    return [f"Network {result.get('arch')}, input scaling {result.get('normalize')}{how}", *facts, used]


def _signs(say: Wording) -> list[str]:
    """The verdict, what it is of with its number, which ``--target`` takes, and the evidence."""
    saw = say.facts.evidence
    if saw is None or say.facts.grade not in GRADES:
        return [say.words.joined([say.verdict(), *say.evidence()])]
    classes = say.facts.classes
    named = f"class {saw.target}" + (f" ({classes[saw.target]})" if saw.target < len(classes) else "")
    what = f"Most suspicious, which is no finding: {named}" if saw.verdict == "none" else f"Target {named}"
    lines = [say.verdict(), f"{what}, anomaly index {_figure(saw.index)}", *say.evidence()]
    return [*lines, "For that, run again without --target."] if saw.set_aside else lines


def _cure(say: Wording) -> list[str]:
    """The grade of the cure, what was tried, what was handed out, and the next step."""
    if not say.facts.purified:
        return []
    grade, meant, *out, step = say.cure()
    tried = [f"  {'+' if good else '-'} {sentence}" for good, sentence in say.proof()]
    return [f"{grade}. {meant}", *tried, *out, f"{say.words('cure.next')} {step}"]


def _rate(result: dict[str, Any]) -> str:
    if result.get("asr_kind") == "true":
        return "attack success, % (true)"
    if result.get("verdict") == "none":
        return "fooled by the smallest change found, % (every network has one)"
    return "attack success, % (estimated with the reconstructed trigger)"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
