"""Defences by name. Each is a module of its own, loaded when it is asked for: this one stays light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from core.registry import loaded

if TYPE_CHECKING:
    from torch import Tensor

    from core.events import Stamps
    from core.models.classifier import Classifier
    from core.training.loop import PurifyStep, TargetedTrigger


class Method(NamedTuple):
    """Where a defence is found, and what it needs.

    ``place``: module and class, or what makes one, which takes (victim, images, labels, triggers, settings, seed).
    ``presets``: names of its settings, the recommended one first. ``needs_triggers``: it works with reconstructed
    triggers, so that a scan comes first, and its settings say how many ``restarts`` it wants of each. The module has
    ``settings_for`` as well.
    """

    place: str
    presets: tuple[str, ...] = ("default",)
    needs_triggers: bool = False


DEFENCES: dict[str, Method] = {
    "mcl": Method("core.defenses.mcl:make", ("default", "published"), needs_triggers=True),
    "ft": Method("core.defenses.fine_tuning:FineTuning"),
    "fp": Method("core.defenses.fine_pruning:FinePruning"),
    "nad": Method("core.defenses.nad:NAD"),
    "nc": Method("core.defenses.neural_cleanse:Unlearning", needs_triggers=True),
    "anp": Method("core.defenses.anp:ANP"),
    "ibau": Method("core.defenses.ibau:IBAU"),
    "ft_sam": Method("core.defenses.ft_sam:FTSAM"),
    "sau": Method("core.defenses.sau:SAU"),
}

COMPARED = ("mcl", "ft", "fp", "nad", "nc")
"""The defences that are compared by default; few enough for an acceptable wait."""

PRESETS = tuple(dict.fromkeys(preset for method in DEFENCES.values() for preset in method.presets))
"""The names of all presets there are."""


class Defence(Protocol):
    """A purification of a copy of the victim, which can be observed, stopped and resumed.

    ``done``: steps done, those before the training included. ``stamps``: whether random stamps were used in place of
    triggers ("alone": none is trusted) or beside them ("beside": they are doubtful), or not at all (None).
    """

    done: int
    stamps: Stamps | None

    def steps(self) -> Iterator[PurifyStep]:
        """Does the work; yields after every step."""
        ...

    def result(self, best: bool = False) -> Classifier:
        """A copy of the purified model: the current one or, with ``best``, at the end, the best one."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """A checkpoint: tensors and numbers that ``restore`` takes."""
        ...

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        """Restores a checkpoint of ``state``."""
        ...


def settings_for(defence: str, preset: str, data: str = "", **changes: Any) -> Any:
    """The settings of a defence's preset with single values changed; a frozen dataclass with ``most_drop``.

    Args:
        defence: one of ``DEFENCES``.
        preset: one of its presets.
        data: name of the image set; some published schedules depend on it.

    Raises:
        BadInput: no such preset or setting, or a value the setting cannot have.
    """
    module = DEFENCES[defence].place.partition(":")[0]
    return loaded(f"{module}:settings_for")(preset, data, **changes)


def make(
    defence: str,
    victim: Classifier,
    images: Tensor,
    labels: Tensor,
    triggers: Sequence[TargetedTrigger],
    settings: Any,
    seed: int = 0,
) -> Defence:
    """A defence at its start.

    Args:
        victim: the backdoored model; not changed.
        images: the clean budget, uint8, shape (n, 3, h, w).
        labels: their classes, int64, shape (n,).
        triggers: reconstructed triggers, the best first, of one target or of several; may be empty where
            ``needs_triggers`` is False.
        settings: of ``settings_for``.
        seed: the same on a CPU gives the same model.
    """
    return loaded(DEFENCES[defence].place)(victim, images, labels, triggers, settings, seed)  # type: ignore[no-any-return]
