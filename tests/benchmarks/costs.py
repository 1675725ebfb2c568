"""What one step costs: trigger inversion per image and class, purification per image; on the CPU and on a GPU.

Random images and an untrained network serve: arithmetic costs the same whatever it says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from core.compute.device import choose
from core.defenses.mcl.purifier import Purifier
from core.defenses.mcl.settings import MCLSettings
from core.models import build
from core.models.classifier import Classifier
from core.scan import mask_pattern
from core.scan.form import invert
from core.scan.inversion import InversionSettings
from core.triggers.reconstructed import Reconstructed

NETWORKS = (("small", 12), ("wrn16-1", 10), ("preact-resnet18", 10))
LARGE = ("preact-resnet18",)  # a GPU's work: minutes on a small CPU
SIDE = 32
BUDGET = 600  # clean images


def rows(steps: int = 20, warm: int = 5, networks: Sequence[tuple[str, int]] = NETWORKS) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for), over ``steps`` steps after ``warm`` that do not count."""
    found = []
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
        for arch, classes in networks:
            if device == "cpu" and arch in LARGE:
                continue
            where = f"{arch}, {classes} classes, {SIDE} px, {name}"
            found += _inversion(where, arch, classes, choose(device), steps, warm)
            found += _purification(where, arch, classes, choose(device), steps, warm)
    return found


def _model(arch: str, classes: int, device: torch.device) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Classifier(build(arch, classes), (0.5,) * 3, (0.25,) * 3)
    return model.eval().to(memory_format=torch.channels_last).to(device)  # type: ignore[call-overload]


def _images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (BUDGET, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def _seconds_a_step(work: Iterator[Any], steps: int, warm: int, device: torch.device) -> float:
    """Mean over ``steps`` steps, after ``warm``; work that still waits on a GPU is waited for."""
    for _ in range(warm):
        next(work)
    _wait(device)
    start = time.perf_counter()
    for _ in range(steps):
        next(work)
    _wait(device)
    return (time.perf_counter() - start) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _inversion(
    where: str, arch: str, classes: int, device: torch.device, steps: int, warm: int
) -> list[tuple[str, str, str]]:
    settings = InversionSettings(main_steps=steps + warm + 1)
    work = invert(mask_pattern, _model(arch, classes, device), _images(), settings)
    step = _seconds_a_step(work, steps, warm, device)
    work.close()
    each = 1000 * step / (classes * settings.images)
    whole = f"{each:.3f} ms ({1000 * step:.1f} ms a step of {classes} x {settings.images} images)"
    return [(f"inversion, per image and class: {where}", whole, "reported")]


def _purification(
    where: str, arch: str, classes: int, device: torch.device, steps: int, warm: int
) -> list[tuple[str, str, str]]:
    labels = torch.arange(BUDGET) % classes
    mask = torch.zeros(1, SIDE, SIDE, device=device)
    mask[:, -3:, -3:] = 1
    trigger = Reconstructed("mask", torch.zeros(3, SIDE, SIDE, device=device), mask, target=0)
    # the budget's checks belong to the cost; so many epochs that it never ends by itself, and no attack that goes
    settings = MCLSettings(epochs=10_000, gone=0.0, rounds=0)
    purifier = Purifier(_model(arch, classes, device), _images(), labels, [trigger], settings)
    step = _seconds_a_step(purifier.steps(), steps, warm, device)
    batch = min(settings.batch, len(purifier.x))
    whole = f"{1000 * step / (2 * batch):.3f} ms ({1000 * step:.1f} ms a step of {batch} clean and {batch} triggered)"
    return [(f"purification, per image, checks included: {where}", whole, "reported")]


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
