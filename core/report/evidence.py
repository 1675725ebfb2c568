"""Keys of the sentences on the scan's evidence and on what the purification was trained against.

The report and the dashboard choose by these keys, each with its own wording.
"""

from __future__ import annotations

from core.events import Scanned, Stamps

FAR = 0.3  # share of the way back to the victim from which on some attacks were partly effective again
SOONER = 1.3  # ratio from which on a sentence says that the target was reached earlier than any other class

Said = tuple[str, dict[str, str]]


def seen(scanned: Scanned) -> list[Said]:
    """What the target stands out by: keys, and what the sentences name besides ``target`` and ``form``."""
    index, gap = f"{scanned.anomaly_index:.1f}", float(scanned.facts.get("gap") or 0.0)
    sooner = float(scanned.facts.get("sooner") or 1.0)
    for fact in ("warped", "fallen_back"):  # what the class was chosen by
        share = scanned.facts.get(fact)
        if share is not None:
            return [(f"evidence.{fact}", {"share": f"{float(share):.0f}"})]
    said: list[Said] = []
    if scanned.verdict == "none" or (gap <= 1 and sooner < SOONER):
        said.append(("evidence.weak", {"index": index}))
    elif gap > 1:
        said.append(("evidence.text", {"index": index, "gap": f"{gap:.1f}"}))
    if scanned.verdict != "none" and sooner >= SOONER:
        said.append(("evidence.sooner", {"times": f"{sooner:.1f}"}))
    return said


def trained_against(scanned: Scanned, stamps: Stamps | None, estimated: bool, given_up: bool = False) -> list[str]:
    """What the model was trained against instead of a trigger that is sure, or beside one.

    Args:
        estimated: whether the attack success shown is that of the reconstructed trigger.
        given_up: whether training against that trigger was tried before, and cost too much BA.
    """
    if stamps is None:
        return []
    if stamps == "beside":
        # not enough for an alarm, and trained against all the same: the sentence on the sign has to be squared with it
        return ["evidence.stamps.precaution" if scanned.verdict == "none" else "evidence.stamps.beside"]
    alone = "evidence.stamps.given_up" if given_up else "evidence.stamps.alone"
    return [alone, *(["evidence.stamps.estimated"] if estimated else [])]


def taken_back(back: object, estimated: bool) -> list[Said]:
    """The sentence on a long step back towards the victim; none if the step was short.

    Args:
        back: share of the way, 0-1, as the run's record has it; None in records of unpurified models.
        estimated: whether the attack success shown is that of the reconstructed trigger.
    """
    if not isinstance(back, float) or not FAR <= back <= 1:
        return []
    return [
        ("evidence.back", {"share": f"{100 * back:.0f}"}),
        *([("evidence.back.estimated", {})] if estimated else []),
    ]
