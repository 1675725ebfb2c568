"""Made-up features: Gaussian classes, and a trigger cluster that stands apart with its classes in order inside."""

import numpy as np


def scene(clean: int = 600, triggered: int = 200, d: int = 32, classes: int = 10, seed: int = 0):
    """Features with the triggered samples at home and apart (each (n, d)), true classes (n,), triggered (n,)."""
    random = np.random.default_rng(seed)
    centre = random.normal(size=(classes, d))
    centre *= 8 / np.linalg.norm(centre, axis=1, keepdims=True)
    label = np.concatenate([np.arange(clean) % classes, 1 + np.arange(triggered) % (classes - 1)])
    marked = np.arange(clean + triggered) >= clean
    home = centre[label] + random.normal(size=(clean + triggered, d)) * 0.6
    away = random.normal(size=d)
    apart = home.copy()
    apart[marked] = 12 * away / np.linalg.norm(away) + 0.4 * home[marked]
    return home.astype(np.float32), apart.astype(np.float32), label, marked


def moved(coords: np.ndarray, last: np.ndarray) -> np.ndarray:
    """How far each point moved, in percent of the diagonal of the last map's bounding box."""
    return 100 * np.linalg.norm(coords - last, axis=1) / np.linalg.norm(np.ptp(last, axis=0))
