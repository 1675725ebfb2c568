"""The class that a scan names: by the sizes of its triggers, by random warps, or by what copies of the model unlearn.

Random warps are tried on every model whose target was not given: a warp beside a patch has no small trigger as long as
the patch is there. Unlearning is tried only where neither sizes nor warps show a sign.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from torch import Tensor

from core.models.classifier import Classifier
from core.scan.scan import Scan
from core.scan.unlearned import can_unlearn, dominant_class, fallback_shares
from core.scan.verdict import Verdict, judge, other_suspects
from core.scan.warped import search_warp, warp_target
from core.triggers.reconstructed import Confidence, Reconstructed


@dataclass(frozen=True)
class Evidence:
    """What a scan comes to.

    Attributes:
        scan: its target is the class that the verdict is about.
        verdict: on that class.
        warps: the warp found, in place of the inversion's triggers, which are poor copies of a warp; empty unless warps
            named the class.
        other_warps: the warp of a class that warps lead to beside the one that was named.
    """

    scan: Scan
    verdict: Verdict
    warps: tuple[Reconstructed, ...] = ()
    other_warps: tuple[Reconstructed, ...] = ()

    @property
    def others(self) -> list[int]:
        """Classes beside the one that was named that stand out too: the most suspicious first, last one by its warp."""
        return [*dict.fromkeys([*self._others_by_size, *(warp.target for warp in self.other_warps)])]

    @property
    def _others_by_size(self) -> list[int]:
        target = self.scan.target
        return other_suspects(self.scan.suspicion.tolist(), self.verdict.grade, target, target)

    def triggers(self, target: int | None = None) -> list[Reconstructed]:
        """The triggers to train against: of the class that was named first, then of the others that stand out.

        Args:
            target: given by the user; the triggers are then of that class alone.
        """
        if target is not None:
            return self.scan.of(target).triggers()
        named = list(self.warps) or self.scan.triggers()
        by_size = [trigger for label in self._others_by_size for trigger in self.scan.of(label).triggers()]
        return [*named, *by_size, *self.other_warps]

    def of(self, label: int) -> tuple[list[Reconstructed], Confidence]:
        """The triggers of a class that something else has named, and how far a purification may rely on them.

        None where no trigger towards it works: to train against what does not turn images to the class costs accuracy
        and removes nothing.
        """
        if warps := [warp for warp in self.other_warps if warp.target == label]:
            return warps, Confidence.DOUBTFUL
        if not (self.warps and label == self.scan.target) and not self.scan.of(label).works:
            return [], Confidence.NONE
        if label != self.scan.target:
            return self.scan.of(label).triggers(), Confidence.DOUBTFUL
        return list(self.warps) or self.scan.triggers(), Confidence.SURE if self.verdict.sure else Confidence.DOUBTFUL

    def confidence(self, target: int | None = None) -> Confidence:
        """How far a purification may rely on these triggers: as far as on those of the class that was named first.

        A weaker suspect beside it is trained against as well, and must not make the cure of the first one weaker.
        """
        return confidence(self.verdict, target is not None)


def gathered(
    found: Scan, model: Classifier, images: Tensor, labels: Tensor, seed: int = 0
) -> Generator[tuple[int, int], None, Evidence]:
    """The verdict on a scan, and what random warps add, and where neither shows a sign, unlearning.

    If the inversion shows a sign and random warps lead to another class, that class stands out beside the one that is
    named. If warps alone do, the scan names the class that they lead to. If neither shows a sign, it names the fallback
    class of unlearning, provided that it is dominant and has a working trigger; the verdict stays "none". In these two
    cases something other than the sizes of its triggers named the class. So ``Verdict.hint`` is True, and a
    purification trains against the triggers as doubtful ones.

    Args:
        found: the scan of the model.
        model: the suspect; not changed.
        images, labels: clean images, uint8, (n, 3, h, w), and their classes, int64, (n,).
        seed: of what is drawn at random; the same on a CPU gives the same result.

    Yields:
        steps done and in all, of the search that is under way; nothing where no search is made.
    """
    verdict = judge(found)
    warps = warp_target(model, images, seed)
    yield 0, 1
    if verdict.grade != "none":
        if warps is None or warps[0] == found.target:
            return Evidence(found, verdict)
        warp = yield from search_warp(model, images, warps[0], seed)
        return Evidence(found, verdict, other_warps=(warp,))
    if warps is not None:
        target, share = warps
        named = found.of(target)
        warp = yield from search_warp(model, images, target, seed)
        return Evidence(named, Verdict("some", judge(named).facts | {"warped": round(100 * share, 1)}), (warp,))
    if not can_unlearn(model, images):
        return Evidence(found, verdict)
    shares = yield from fallback_shares(model, images, labels, seed)
    fallback = dominant_class(shares)
    if fallback is None or not found.of(fallback).works:
        return Evidence(found, verdict)
    named, share = found.of(fallback), round(100 * float(shares[fallback]), 1)
    return Evidence(named, Verdict("none", judge(named).facts | {"fallen_back": share}))


def confidence(verdict: Verdict, given: bool) -> Confidence:
    """How far a purification may rely on the triggers of one class. ``given``: it was given by the user."""
    if given or verdict.sure:
        return Confidence.SURE
    return Confidence.DOUBTFUL if verdict.hint else Confidence.NONE
