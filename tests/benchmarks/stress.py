"""Whether a purified model loses more than the original under corruption, for the shipped victims whose images we may
ship: mean and worst loss of accuracy over all conditions, the worst class, attack success, robustness to PGD.

``python -m tests.benchmarks.stress VICTIM COUNT`` does one victim with so many test images.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.engine import worker
from core.errors import BadInput
from core.runs import record
from core.runs.spec import Spec
from core.stress.settings import Settings
from core.victims import card_of

VICTIMS = ("signs-badnets", "signs-blended", "signs-wanet", "signs-sig", "digits-badnets", "digits-blended")
MEAN, WORST = 1.0, 3.0  # asked for, points of BA that may be lost: averaged, and in any condition


def rows(victims: Sequence[str] = VICTIMS, settings: Settings | None = None) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for)."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for victim in victims:
            found += told(victim, driven(victim, settings or Settings(), Path(folder)))
    return found


def driven(victim: str, settings: Settings, root: Path) -> dict[str, Any] | None:
    """The test track of a fresh purification; None: that handed nothing out."""
    from core.stress.track import run_track

    run = record.create(Spec(victim=victim, images=card_of(victim).data, map=False), root=root)
    worker.work(run.folder)
    try:
        return run_track(record.Run(run.folder), settings, lambda stage, done, total: None)
    except BadInput as fault:
        if fault.code != "no_purified_model":
            raise
        return None


def told(victim: str, found: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """The rows of one result."""
    if found is None:
        return [(f"{victim}: test track", "no purified model was handed out", "-")]
    worst, one, count = found["worst"], found["worst_class"], found["settings"]["count"]
    where = f"{worst['corruption']} {worst['strength']}, {_chance(worst)}"
    clean = found["clean"]
    rows = [
        (f"{victim}: mean loss over {len(found['cells'])} conditions, {count} images",
         f"{found['mean_loss']:+.2f} points (clean {clean['loss']:+.2f})", f"<= {MEAN:g}"),
        (f"{victim}: largest loss", f"{worst['loss']:+.2f} points ({where})", f"<= {WORST:g}"),
        (f"{victim}: class that loses most",
         f"{one['name']} {one['before']:.1f} -> {one['after']:.1f} % ({_chance(one)})", "-"),
        (f"{victim}: true ASR, mean over the conditions",
         f"{found['mean_asr_before']:.1f} -> {found['mean_asr_after']:.1f} %", "-"),
    ]  # fmt: skip
    rows += [
        (f"{victim}: right under PGD, {row['epsilon']}, {row['images']} images",
         f"{row['before']:.1f} -> {row['after']:.1f} %", "-")
        for row in found["robustness"]
    ]  # fmt: skip
    return rows


def _chance(entry: dict[str, Any]) -> str:
    return "more than chance" if entry["beyond_chance"] else "chance explains it"


if __name__ == "__main__":
    few = replace(Settings(), count=int(sys.argv[2]), attacked=100)
    for line in rows([sys.argv[1]], few):
        print(" | ".join(line))
