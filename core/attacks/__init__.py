"""Attacks by name, for the lab. A new attack is one file here and one line in ``ATTACKS``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.attacks.adap_blend import AdapBlend
from core.attacks.adap_patch import AdapPatch
from core.attacks.badnets import BadNets
from core.attacks.blended import Blended
from core.attacks.input_aware import InputAware
from core.attacks.label_consistent import LabelConsistent
from core.attacks.lf import LF
from core.attacks.sample_specific import SampleSpecific
from core.attacks.sig import Sig
from core.attacks.trigger import Trigger
from core.attacks.wanet import WaNet
from core.errors import BadInput

ATTACKS: dict[str, Callable[..., Trigger]] = {
    "badnets": BadNets,
    "blended": Blended,
    "sig": Sig,
    "wanet": WaNet,
    "label-consistent": LabelConsistent,
    "input-aware": InputAware,
    "lf": LF,
    "sample-specific": SampleSpecific,
    "adap-blend": AdapBlend,
    "adap-patch": AdapPatch,
}


def make_trigger(name: str, size: tuple[int, int], **settings: Any) -> Trigger:
    """The trigger of an attack for images of ``size`` (height, width).

    Raises:
        BadInput: no such attack, or a setting it does not have or that cannot have this value.
    """
    if name not in ATTACKS:
        raise BadInput(
            "unknown_attack",
            f"There is no attack called {name!r}; use one of {', '.join(ATTACKS)}.",
            attack=name,
            allowed=", ".join(ATTACKS),
        )
    try:
        return ATTACKS[name](size, **settings)
    except BadInput:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value}" for key, value in settings.items())
        raise BadInput(
            "attack_setting", f"The attack {name} does not take these settings: {given}.", attack=name, given=given
        ) from error
