"""A purification of a run with its proof, and which of several counts.

Where the new scan of a proof names a class that had not stood out on the victim, the run purifies again. What the
record keeps of a purification that was followed by another is enough to go on from it, or to hand it out after all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from core.events import Measured, Stamps, Verified, from_json, to_json
from core.models.classifier import Classifier
from core.triggers.reconstructed import Reconstructed


@dataclass(frozen=True)
class Purified:
    """The purified model, its figures, and whether BA is held: it fell by no more than the setting ``most_drop``."""

    model: Classifier
    after: Measured
    ba_held: bool


@dataclass(frozen=True)
class Proven:
    """A purification and its proof.

    Attributes:
        target: the class that it was made against: the first one's is that of the run, a later one's the class that the
            proof before it named. Each is made against the classes of those before it as well.
        steps: of the run, up to its last one.
        stamps: as ``core.defenses.Defence.stamps``.
        purified: the model and its figures.
        verified: the proof.
        worst: its most successful fresh trigger, if any works.
    """

    target: int
    steps: int
    stamps: Stamps | None
    purified: Purified
    verified: Verified
    worst: Reconstructed | None = None

    @property
    def second(self) -> int | None:
        """The class that the new scan of the proof names and that had not stood out before; None if there is none."""
        scan = self.verified.evidence.get("scan", {})
        return int(scan["target"]) if scan.get("second") else None

    def figures(self, kept: bool) -> dict[str, Any]:
        """What a run's result says of it. ``kept``: whether it is the one that counts."""
        after = self.purified.after
        return {
            "target": self.target, "steps": self.steps, "stamps": self.stamps, "cure": self.verified.cure,
            "cure_reasons": self.verified.reasons, "ba_after": after.ba, "asr_after": after.asr,
            "ba_held": self.purified.ba_held, "second": self.second, "kept": kept,
        }  # fmt: skip

    def to_record(self) -> dict[str, Any]:
        """All but the weights and the trigger, as plain data."""
        return {
            "target": self.target, "steps": self.steps, "stamps": self.stamps, "ba_held": self.purified.ba_held,
            "after": to_json(self.purified.after), "verified": to_json(self.verified),
        }  # fmt: skip

    @classmethod
    def from_record(cls, data: Mapping[str, Any], model: Classifier, worst: Reconstructed | None) -> Proven:
        """The purification that ``to_record`` gave, with its model and trigger."""
        after, verified = (cast(Any, from_json(data[name])) for name in ("after", "verified"))
        stamps = cast(Literal["alone", "beside"] | None, data["stamps"])
        return cls(data["target"], data["steps"], stamps, Purified(model, after, data["ba_held"]), verified, worst)


def last_held(proven: Sequence[Proven]) -> Proven:
    """The purification that counts: the last one that held BA, or the first one if none did.

    The grade has no say: an earlier proof asked about fewer classes, and what it did not ask is no merit.
    """
    return next((one for one in reversed(proven) if one.purified.ba_held), proven[0])
