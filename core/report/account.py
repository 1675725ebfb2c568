"""The account of a purification: what it took, what training anew would take, and what risk is left. Pure and light.

Time and images of the purification are those of the run's record. Training anew is an estimate: the time of a step that
was measured (``core.rollout.training_step``) times the steps of an ordinary training. Money follows from rates that the
user gives; none is assumed. The work of people is not measured by anybody here: the user gives its hours for both ways.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from core import paths
from core.compute.intervals import Interval
from core.errors import BadInput
from core.events import Cure
from core.files import write_json
from core.report.facts import Facts, asr, asr_interval
from core.runs.record import Run

FILE = "account.json"
FORMAT = 1
MOST = 10**12  # of any figure that is given
RATES = ("machine_hour", "image", "engineer_hour")  # of ``Given``, in money
EPOCHS = 100  # of a training whose length nobody knows: BackdoorBench on CIFAR-10 (Wu et al., NeurIPS 2022)


@dataclass(frozen=True)
class Given:
    """What the user gives.

    Attributes:
        machine_hour, image, engineer_hour: price of an hour of the machine, of one labelled image, of an hour of a
            person.
        purify_hours, train_hours: hours of people for the purification, and for a training anew.
        currency: written before the amounts.
        training_images: of a training anew; None: as many as the run's image set has.
        epochs: passes over them; None: as ``usual_epochs``.
    """

    machine_hour: float = 0.0
    image: float = 0.0
    engineer_hour: float = 0.0
    purify_hours: float = 0.0
    train_hours: float = 0.0
    currency: str = ""
    training_images: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        """Raises:
        BadInput: ``bad_account_figure``.
        """
        for name in (*RATES, "purify_hours", "train_hours", "training_images", "epochs"):
            value, least = getattr(self, name), 1 if name in ("training_images", "epochs") else 0
            if value is None and name in ("training_images", "epochs"):
                continue
            if type(value) not in ((int,) if least else (int, float)) or not least <= value <= MOST:
                raise BadInput(
                    "bad_account_figure",
                    f"The account cannot have {name} {value!r}; give a{' whole' if least else ''} number from {least} "
                    "up.",
                    field=name, value=repr(value), least=least,
                )  # fmt: skip


@dataclass(frozen=True)
class TrainingStep:
    """A training step as it was measured.

    Attributes:
        seconds: median of a step of ``batch`` images; ``timed``: steps that were timed.
        images: of the training set of the run.
        arch, device, machine: what was timed, and on what. measured: ISO 8601, UTC.
    """

    seconds: float
    timed: int
    batch: int
    images: int
    arch: str
    device: str
    machine: str
    measured: str


@dataclass(frozen=True)
class Cost:
    """One way. ``seconds``: of the machine. ``images``: labelled by people. ``hours``: of people. ``money``: None
    without rates."""

    seconds: float
    images: int | None
    hours: float
    money: float | None


@dataclass(frozen=True)
class Risk:
    """What is left after the purification, in the terms of the verdict; percent.

    ``kind``: of the attack success, "true" or "estimated". ``fooled``: of 1,000 images with that trigger, how many may
    still be answered as the attacker wants, lower and upper end of the 95 % interval.
    """

    kind: str
    asr_before: float | None
    asr: float | None
    interval: Interval | None
    ba_before: float
    ba: float
    cure: Cure | None

    @property
    def fooled(self) -> tuple[int, int] | None:
        if self.interval is None:
            return None
        return math.floor(self.interval.low * 10), math.ceil(self.interval.high * 10)


@dataclass(frozen=True)
class Account:
    """``purified``: None where the record has no times. ``anew``: None until a training step was measured; ``steps``:
    and ``epochs`` of that training. ``risk``: None without a purification that came to its end."""

    purified: Cost | None
    anew: Cost | None
    steps: int | None
    epochs: int
    risk: Risk | None

    @property
    def times(self) -> float | None:
        """How many times longer the machine would take to train anew."""
        if self.purified is None or self.anew is None or not self.purified.seconds:
            return None
        return self.anew.seconds / self.purified.seconds

    @property
    def saved(self) -> float | None:
        """Money; below 0 where training anew is cheaper."""
        if self.purified is None or self.anew is None or self.purified.money is None or self.anew.money is None:
            return None
        return self.anew.money - self.purified.money


def usual_epochs(facts: Facts) -> int:
    """As many passes as the model itself was trained for, by a shipped victim's card; else ``EPOCHS``."""
    known = facts.card.training.get("epochs") if facts.card else None
    return known if type(known) is int and known > 0 else EPOCHS


def account(facts: Facts, given: Given, step: TrainingStep | None = None) -> Account:
    """The account of a run.

    The images of the purification are its clean budget; those of a training anew are the whole training set, which
    would have to be labelled, or looked through again, before one could trust it. The test images, which both ways
    need, are in neither.
    """
    total = facts.total_seconds
    purified = None if total is None else _cost(total, facts.clean_images, given.purify_hours, given)
    anew, steps, epochs = None, None, given.epochs or usual_epochs(facts)
    if step is not None:
        images = given.training_images or step.images
        steps = epochs * max(1, images // step.batch)
        anew = _cost(steps * step.seconds, images, given.train_hours, given)
    return Account(purified, anew, steps, epochs, _risk(facts))


def _cost(seconds: float, images: int | None, hours: float, given: Given) -> Cost:
    money = seconds / 3600 * given.machine_hour + (images or 0) * given.image + hours * given.engineer_hour
    priced = any(getattr(given, name) for name in RATES) and (images is not None or not given.image)
    return Cost(seconds, images, hours, money if priced else None)


def _risk(facts: Facts) -> Risk | None:
    before, after = facts.before, facts.after
    if before is None or after is None:
        return None
    return Risk(after.asr_kind, asr(before), asr(after), asr_interval(after), before.ba, after.ba, facts.cure)


# kept beside the run


def file_of(run: Run) -> Path:
    """Inside the run; of a shipped recording, which stays as it is, in the user's own folder."""
    return paths.home() / "accounts" / f"{run.id}.json" if run.is_recording else run.folder / FILE


def job_of(run: Run) -> Path:
    """The note of the process that measures the training step."""
    return file_of(run).with_suffix(".job.json")


def keep(run: Run, given: Given, step: TrainingStep | None) -> None:
    """Raises:
    OSError: it cannot be written.
    """
    path = file_of(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"format": FORMAT, "given": asdict(given), "step": asdict(step) if step else None})


def kept(run: Run) -> tuple[Given, TrainingStep | None]:
    """What was given and measured for a run; nothing by default.

    Raises:
        BadInput: ``account_unreadable``.
    """
    path = file_of(run)
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"it has format {found['format']}, and this version reads {FORMAT}")
        return Given(**found["given"]), _step(found["step"])
    except FileNotFoundError:
        return Given(), None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(
            "account_unreadable",
            f"The account {path} cannot be read ({error}); delete it, and the training step is measured anew.",
            path=str(path), reason=str(error),
        ) from None  # fmt: skip


def _step(found: dict[str, Any] | None) -> TrainingStep | None:
    if found is None:
        return None
    numbers = [found[name] for name in ("seconds", "timed", "batch", "images")]
    if not all(type(value) in (int, float) and 0 < value < math.inf for value in numbers):
        raise ValueError("a figure of the training step is no number above 0")
    if not all(isinstance(found[item.name], str) for item in fields(TrainingStep)[4:]):
        raise TypeError("the training step has no machine")
    return TrainingStep(**found)
