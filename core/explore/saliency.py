"""Where both models look in an image of the map and in its twin, for the page Explore (``core.models.attribution``)."""

from __future__ import annotations

import numpy as np
import torch

from core.explore import place
from core.explore.material import Material
from core.models.attribution import attribution, heat
from core.runs.record import Run


def make_saliency(run: Run, stuff: Material, point: int) -> place.Saliency:
    """Maps of a point and its twin in each model, for the class that the model answers; written beside the others.

    Args:
        point: position in the sample set.
    """
    twin = stuff.samples.twin
    clean = int(twin[point]) if twin[point] >= 0 else point
    found = np.flatnonzero(twin == clean)
    points = [clean, *found[:1].tolist()]
    x = stuff.pixels(points)
    maps = []
    for model in stuff.models:
        images = x.to(model.mean.device)
        with torch.inference_mode():
            answers = model(images).argmax(1)
        maps.append(heat(attribution(model, images, answers.clone())))
    pictures = x.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    made = place.Saliency(pictures, stuff.samples.triggered[points].astype(np.uint8), np.stack(maps))
    place.write(run, f"saliency-{point}", made)
    return made
