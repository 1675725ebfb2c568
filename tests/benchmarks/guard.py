"""How well the guard tells triggered images from clean ones, and from clean ones in bad weather.

Chosen on signs-wanet and signs-blended: the detectors, how they are put together, and how far clean images are varied.
signs-badnets and digits-badnets were looked at meanwhile; signs-sig and digits-blended were not, before the choice
stood. Rain and fog were never used to fit or to calibrate. Triggered are images that are not of the target and that
the victim does answer as the target.

The clean budget of a profile is drawn from the training images, as in a run; all others are test images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core import paths
from core.data import load, signs
from core.data.budget import clean_budget
from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import classifier, read_weights
from core.victims import Card, card_of, load_victim, trigger_of
from core.watch import DETECTORS
from core.watch.alerts import RULES, Alarms
from core.watch.detector import Watched
from core.watch.fitting import fit_profile
from core.watch.guard import Finding, Guard

VICTIMS = ("signs-badnets", "signs-blended", "signs-wanet", "signs-sig", "digits-badnets", "digits-blended")
IMAGES, BUDGET = 500, 600
EACH = 20  # in the stream, one image in so many is triggered
Row = tuple[str, str, str]


def rows(images: int = IMAGES, budget: int = BUDGET, victims: Sequence[str] = VICTIMS) -> list[Row]:
    """(figure, measured, asked for)."""
    found: list[Row] = []
    for name in victims:
        found += _victim(name, images, budget, None)
    if "signs-badnets" in victims:
        found += _victim("signs-badnets", images, budget, _purified("signs-badnets"))
        found += _each(images, budget)
    return found


def _victim(name: str, images: int, budget: int, second: Classifier | None) -> list[Row]:
    card, model = card_of(name), load_victim(name)
    begun = time.perf_counter()
    x, y = _clean(card, budget)
    guard = Guard(model, fit_profile(Watched(model, second), x, y, [str(k) for k in range(card.classes)]), second)
    fitted = time.perf_counter() - begun
    test, labels = _test(card, images)
    triggered = _triggered(card, model, test, labels)
    begun = time.perf_counter()
    clean, bad = guard.look(test), guard.look(triggered)
    pace = (len(clean) + len(bad)) / (time.perf_counter() - begun)
    area = auroc(_scores(bad), _scores(clean))
    name = f"guard, {name}" + (", with its purified model" if second else "")
    weather = {kind: _flagged(guard.look(change(test))) for kind, change in WEATHER.items()}
    asked = "-" if card.attack == "sig" else ">= 0.95"
    return [
        (f"{name}: AUROC; triggered images flagged", f"{area:.3f}; {_flagged(bad):.1f} %", asked),
        (f"{name}: false alarms on clean images", f"{_flagged(clean):.1f} %", "<= 1 %"),
        (f"{name}: in {', '.join(weather)}", ", ".join(f"{value:.1f} %" for value in weather.values()), "<= 3 % each"),
        (f"{name}: triggered images until it rings, 1 in {EACH}", _until(clean, bad), "<= 20"),
        (f"{name}: images a second; profile", f"{pace:.0f}; {fitted:.1f} s", ">= 500 on two cores"),
    ]


def _each(images: int, budget: int) -> list[Row]:
    """Every detector by itself: AUROC on the victims that the choice was made on, and on others."""
    found = []
    for name in ("signs-wanet", "signs-blended", "signs-badnets", "digits-badnets"):
        card, model = card_of(name), load_victim(name)
        x, y = _clean(card, budget // 2)
        test, labels = _test(card, images // 2)
        triggered = _triggered(card, model, test, labels)
        told = []
        for detector in DETECTORS:
            if detector == "disagreement":
                continue
            profile = fit_profile(Watched(model), x, y, [str(k) for k in range(card.classes)], detectors=[detector])
            guard = Guard(model, profile)
            clean, bad = guard.look(test), guard.look(triggered)
            told.append(f"{detector} {auroc(_scores(bad), _scores(clean)):.3f}")
        found.append((f"guard, {name}: AUROC of each detector", ", ".join(told), "-"))
    return found


def _clean(card: Card, budget: int) -> tuple[Tensor, Tensor]:
    if card.data == "signs":
        labels = signs.labels("train")
        chosen = clean_budget(labels, budget, card.classes, 0)
        return signs.draw(chosen, "train"), labels[chosen]
    found = load(card.data)
    chosen = clean_budget(found.y_train, min(budget, len(found.y_train)), card.classes, 0)
    return found.x_train[chosen], found.y_train[chosen]


def _test(card: Card, count: int) -> tuple[Tensor, Tensor]:
    """Test images, float in [0, 1], and their classes, spread over the set."""
    if card.data == "signs":
        labels = signs.labels("test")
        chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:count]
        return as_float(signs.draw(chosen, "test")), labels[chosen]
    found = load(card.data)
    chosen = torch.randperm(len(found.y_test), generator=torch.Generator().manual_seed(0))[:count]
    return as_float(found.x_test[chosen]), found.y_test[chosen]


def _triggered(card: Card, model: Classifier, test: Tensor, labels: Tensor) -> Tensor:
    bad = trigger_of(card, (int(test.shape[-2]), int(test.shape[-1])))(test[labels != card.target])
    return bad[answers(model, bad) == card.target]


def _purified(recording: str) -> Classifier:
    card = card_of(recording)
    weights = read_weights(paths.RECORDINGS / recording / "model.safetensors")
    return classifier(weights, card.arch, card.classes, card.mean, card.std)


def _until(clean: Sequence[Finding], bad: Sequence[Finding]) -> str:
    """How many triggered images had come when it first rang; the clean ones first come alone, five times over."""
    alarms, order = Alarms(RULES), np.random.default_rng(0)
    stream = [(one, False) for _ in range(5) for one in order.permutation(np.array(clean, object))]
    early = sum(bool(alarms.feed(_entry(at, one))) for at, (one, _) in enumerate(stream))
    for count in range(1, 101):
        for at in range(EACH):
            one = bad[int(order.integers(len(bad)))] if at == EACH - 1 else clean[int(order.integers(len(clean)))]
            if alarms.feed(_entry(len(stream) + EACH * count + at, one)):
                return f"{count} (and {early} false alerts in {len(stream):,} clean images before)"
    return f"more than 100 (and {early} false alerts in {len(stream):,} clean images before)"


def _entry(at: int, one: Finding) -> dict[str, object]:
    return {
        "kind": "image", "t": 1000.0 * at, "file": str(at), "flagged": one.flagged, "answer": one.answer, "rate": 0.01
    }  # fmt: skip


def _scores(found: Sequence[Finding]) -> np.ndarray:
    return np.array([one.score for one in found])


def _flagged(found: Sequence[Finding]) -> float:
    return 100 * float(np.mean([one.flagged for one in found])) if found else float("nan")


def auroc(bad: np.ndarray, clean: np.ndarray) -> float:
    """How often a triggered image scores higher than a clean one, ties by half."""
    from sklearn.metrics import roc_auc_score

    if not len(bad):
        return float("nan")
    return float(roc_auc_score(np.r_[np.ones(len(bad)), np.zeros(len(clean))], np.r_[bad, clean]))


def rain(x: Tensor) -> Tensor:
    """Bright slanted streaks over one pixel in ten."""
    drops = (torch.rand(len(x), 1, *x.shape[-2:], generator=torch.Generator().manual_seed(3)) < 0.02).float()
    slant = torch.zeros(1, 1, 7, 7)
    for row in range(7):
        slant[0, 0, row, 3 - (row - 3) // 3] = 1
    streaks = F.conv2d(F.pad(drops, (3, 3, 3, 3)), slant).clamp(0, 1) * 0.45
    return x * (1 - streaks) + 0.85 * streaks


def fog(x: Tensor) -> Tensor:
    """A bright haze over a quarter to three fifths of the light, in patches."""
    patches = torch.rand(len(x), 1, 4, 4, generator=torch.Generator().manual_seed(1))
    thick = 0.25 + 0.35 * F.interpolate(patches, x.shape[-2:], mode="bicubic").clamp(0, 1)
    return x * (1 - thick) + 0.8 * thick


def noise(x: Tensor) -> Tensor:
    """Noise of a standard deviation of 6 %."""
    return (x + 0.06 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))).clamp(0, 1)


def blur(x: Tensor) -> Tensor:
    """A Gaussian of one pixel."""
    from torchvision.transforms.functional import gaussian_blur

    return gaussian_blur(x, [7, 7], [1.0, 1.0])


WEATHER: dict[str, Callable[[Tensor], Tensor]] = {"rain": rain, "fog": fog, "noise": noise, "blur": blur}
