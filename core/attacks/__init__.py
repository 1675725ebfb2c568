"""Attacks by name, for the lab. Each is a module of its own, loaded when it is asked for: this one stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import BadInput
from core.registry import loaded

if TYPE_CHECKING:
    from core.attacks.trigger import Trigger

ATTACKS: dict[str, str] = {
    "badnets": "core.attacks.badnets:BadNets",
    "blended": "core.attacks.blended:Blended",
    "sig": "core.attacks.sig:Sig",
    "wanet": "core.attacks.wanet:WaNet",
    "label-consistent": "core.attacks.label_consistent:LabelConsistent",
    "input-aware": "core.attacks.input_aware:InputAware",
    "lf": "core.attacks.lf:LF",
    "sample-specific": "core.attacks.sample_specific:SampleSpecific",
    "adap-blend": "core.attacks.adap_blend:AdapBlend",
    "adap-patch": "core.attacks.adap_patch:AdapPatch",
    "adversarial-embedding": "core.attacks.adversarial_embedding:AdversarialEmbedding",
    "indivisible": "core.attacks.indivisible:Indivisible",
    "two-targets": "core.attacks.two_targets:TwoTargets",
    "deferred": "core.attacks.deferred:Deferred",
}
"""Module and class of each; the class is called with the images' size (height, width) and the attack's settings."""

TRAINED_BY_ATTACKER = ("adversarial-embedding", "two-targets", "deferred")
"""Those that need the attacker to train the victim too: with a poisoned set alone they are plain ``badnets``."""

IN_SETS = tuple(name for name in ATTACKS if name not in TRAINED_BY_ATTACKER)
"""Those that a poisoned set is enough for."""


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
    attack = loaded(ATTACKS[name])
    try:
        return attack(size, **settings)  # type: ignore[no-any-return]
    except BadInput:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value}" for key, value in settings.items())
        raise BadInput(
            "attack_setting", f"The attack {name} does not take these settings: {given}.", attack=name, given=given
        ) from error
