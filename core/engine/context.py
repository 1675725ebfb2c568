"""What a run is about: everything that is fixed once model and images are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from core.data.imageset import ImageSet
from core.defenses import DEFENCES
from core.engine.subject import Subject
from core.events import AsrKind
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering


@dataclass(frozen=True)
class Context:
    """The fixed part of a run.

    Attributes:
        run: its record.
        steering: what the user asks of it meanwhile (pause, stop).
        spec: the order, its clean budget raised where it allows that (``core.engine.pipeline``).
        images: the image set.
        subject: the model under examination.
        device: where it computes.
        settings: of the defence, as ``core.defenses.settings_for`` gives them.
    """

    run: Run
    steering: Steering
    spec: Spec
    images: ImageSet
    subject: Subject
    device: torch.device
    settings: Any

    @property
    def needs_scan(self) -> bool:
        """Whether triggers are needed: by the order, by the defence, or to estimate the ASR of an unknown model."""
        return self.spec.scan_only or DEFENCES[self.spec.defence].needs_triggers or self.subject.trigger is None

    @property
    def asr_kind(self) -> AsrKind:
        """The kind of ASR: "true" if the real trigger is known, else "estimated"."""
        return "true" if self.subject.trigger else "estimated"
