"""``explore``: what the page Explore needs of the networks."""

from __future__ import annotations

import argparse
import time
from typing import Any

from core.commands.terminal import CountBar
from core.errors import BadInput
from core.explore import place
from core.explore.jobs import told
from core.runs.files import strict_json
from core.runs.record import Run, find

LOOK_AGAIN = 0.1  # seconds


def explore(arguments: argparse.Namespace) -> int:
    """Features, neighbours and suspicion; or another map; or saliency."""
    run = find(arguments.run)
    if arguments.saliency is not None:
        result = _saliency(run, arguments.saliency, arguments.linger)
    elif arguments.map:
        result = _map(run, arguments.map, arguments.dims)
    else:
        result = _base(run)
    if arguments.json:
        print(strict_json(result))
    else:
        print("\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in result.items()))
    return 0


def _base(run: Run) -> dict[str, Any]:
    from core.explore.make import make

    with (
        CountBar("Exploring") as bar,
        told(run, "base", lambda _, done, total: bar(round(done), round(total))) as report,
    ):
        base = make(run, report)
    result: dict[str, Any] = {"run": run.id, "points": base.features.shape[1], "dimensions": base.features.shape[2]}
    names = {"ac": "activation_clustering", "ss": "spectral_signatures"}
    for at, method in enumerate(place.METHODS):
        for model, when in enumerate(base.whens):
            precision, recall, _ = (round(float(value), 1) for value in base.judged[at, model])
            result |= {f"{names[method]}_{when}_precision": precision, f"{names[method]}_{when}_recall": recall}
    return result | {"folder": str(place.folder_of(run))}


def _map(run: Run, method: str, dims: int) -> dict[str, Any]:
    from core.explore.maps import make_map

    with told(run, f"{method}-{dims}") as report:
        coords = make_map(run, method, dims, report)
    return {"run": run.id, "map": f"{method}-{dims}", "frames": len(coords), "points": coords.shape[1]}


def _saliency(run: Run, point: int, linger: float) -> dict[str, Any]:
    """One point, and then whatever the page asks for until it has asked for nothing for ``linger`` seconds."""
    from core.explore.material import material
    from core.explore.saliency import make_saliency

    with told(run, "saliency") as report:
        report("load", 0, 0)
        stuff = material(run)
        points = len(stuff.samples.label)
        if not 0 <= point < points:
            raise BadInput(
                "no_such_point", f"The run {run.id} has no point {point}; its points are 0 to {points - 1}.",
                run=run.id, point=point, most=points - 1,
            )  # fmt: skip
        made = make_saliency(run, stuff, point)
        waited = time.monotonic()
        while time.monotonic() - waited < linger:
            report(place.IDLE, 0, 0)
            time.sleep(LOOK_AGAIN)
            asked = place.wanted(run)
            if asked is not None and 0 <= asked < points and place.saliency(run, asked) is None:
                make_saliency(run, stuff, asked)
                waited = time.monotonic()
    return {"run": run.id, "point": point, "models": len(made.heat), "pictures": len(made.pictures)}
