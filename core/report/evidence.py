"""The evidence of a scan and what was done about it: typed, with one wording for command line, report and page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from core.events import Scanned, Stamps
from core.words import Words

# Share of the way back to the victim from which on some attacks were partly effective again. Only records of earlier
# versions, whose purification ended with such a step, have it.
MIN_TAKEN_BACK = 0.3
MIN_LEAD_RATIO = 1.3  # ratio from which on a sentence says that the target was reached earlier than any other class


@dataclass(frozen=True)
class Evidence:
    """The evidence as data, without words; what a record lacks, or has in a form that cannot be read, is None.

    Attributes:
        verdict: "strong", "some" or "none" signs.
        target: the most suspicious class.
        index: its anomaly index in ``form``, the form of trigger that shows it best.
        gap: ratio of the smallest trigger of all classes but ``others`` to its trigger; 0 where that is not known.
        sooner: how many times earlier the inversion reached it than any other class; 1 without a lead.
        warped, fallen_back: percent of answers that went to it, of images warped at random, and of copies that had
            unlearnt clean images; there only where the class was chosen by it.
        others: other classes that stand out.
        statistics: how far the batch-norm statistics of the file lay from those of clean images, octaves, where the
            class was named with these.
        real: the class the attacker chose, where that is known.
        given: the target class, where the user gave it; triggers, attack success and purification are then of it.
        estimated: whether the attack success shown is that of the reconstructed trigger.
        stamps: whether random stamps were trained against, in place of triggers ("alone") or with them ("beside").
        given_up: whether training against triggers was tried before that, and cost too much BA.
        back: how far the result was taken back towards the model as it came, 0-1; in records of earlier versions only.
    """

    verdict: str
    target: int
    index: float
    form: str = "mask"
    gap: float = 0.0
    sooner: float = 1.0
    warped: float | None = None
    fallen_back: float | None = None
    others: tuple[int, ...] = ()
    statistics: float | None = None
    real: int | None = None
    given: int | None = None
    estimated: bool = True
    stamps: Stamps | None = None
    given_up: bool = False
    back: float | None = None

    @classmethod
    def of(
        cls, scanned: Scanned, result: Mapping[str, Any], real: int | None = None, given: int | None = None
    ) -> Evidence:
        """The evidence in a run's record.

        Args:
            result: of the run's record; empty before its end.
        """
        facts, stamps, back = scanned.facts, result.get("stamps"), result.get("back")
        warped, fallen_back, statistics = (
            None if facts.get(name) is None else float(facts[name]) for name in ("warped", "fallen_back", "statistics")
        )
        return cls(
            verdict=scanned.verdict,
            target=scanned.target,
            index=scanned.anomaly_index,
            form=scanned.form,
            gap=float(facts.get("gap") or 0.0),
            sooner=float(facts.get("sooner") or 1.0),
            warped=warped,
            fallen_back=fallen_back,
            others=tuple(scanned.others),
            statistics=statistics,
            real=real,
            given=given,
            estimated=result.get("asr_kind", "estimated" if real is None else "true") == "estimated",
            stamps=stamps if stamps in get_args(Stamps) else None,
            given_up=result.get("given_up") is True,
            back=back if isinstance(back, float) and 0 <= back <= 1 else None,
        )

    @property
    def set_aside(self) -> bool:
        """Whether all else is of a class that was given, and nothing was done against the one found."""
        return self.real is None and self.given not in (None, self.target)


def sentences(evidence: Evidence, words: Words, name: Callable[[int], str]) -> list[str]:
    """What the target stands out by, whether that is right, and what was done for want of a sure trigger.

    Args:
        words: of the reader's language.
        name: of a class, as it may stand where the sentences are shown.
    """
    found, form = name(evidence.target), words.name("evidence.form", evidence.form)
    said = [words(key, **{"target": found, "form": form, **values}) for key, values in _seen(evidence)]
    if evidence.verdict != "none":
        said += [words("evidence.other", other=name(label)) for label in evidence.others]
    if evidence.real is not None:
        right = evidence.real == evidence.target
        key = "evidence.right" if right else "evidence.wrong"
        said.append(words(key, found=found, real=name(evidence.real)))
    elif evidence.given is not None and evidence.set_aside:
        said.append(words("evidence.given", given=name(evidence.given), found=found))
    if evidence.statistics is not None:
        said.append(words("evidence.statistics", times=f"{2**evidence.statistics:.1f}"))
    said += [words(key, target=found) for key in _trained_against(evidence)]
    return said + [words(key, **values) for key, values in _taken_back(evidence)]


def _seen(evidence: Evidence) -> Iterator[tuple[str, dict[str, str]]]:
    index, none = f"{evidence.index:.1f}", evidence.verdict == "none"
    if evidence.warped is not None:  # what the class was chosen by
        yield "evidence.warped", {"share": f"{evidence.warped:.0f}"}
        return
    if evidence.fallen_back is not None:
        yield "evidence.fallen_back", {"share": f"{evidence.fallen_back:.0f}"}
        return
    if none or (evidence.gap <= 1 and evidence.sooner < MIN_LEAD_RATIO):
        yield "evidence.weak", {"index": index}
    elif evidence.gap > 1:
        yield f"evidence.text{'.others' if evidence.others else ''}", {"index": index, "gap": f"{evidence.gap:.1f}"}
    if not none and evidence.sooner >= MIN_LEAD_RATIO:
        yield "evidence.sooner", {"times": f"{evidence.sooner:.1f}"}


def _trained_against(evidence: Evidence) -> Iterator[str]:
    """What the model was trained against instead of a trigger that is sure, or beside one."""
    if evidence.stamps == "beside":
        # the sentence before says that there is no sign; this one says why a trigger was trained against all the same
        yield f"evidence.stamps.{'precaution' if evidence.verdict == 'none' else 'beside'}"
    elif evidence.stamps == "alone":
        yield f"evidence.stamps.{'given_up' if evidence.given_up else 'alone'}"
        if evidence.estimated:
            yield "evidence.stamps.estimated"


def _taken_back(evidence: Evidence) -> Iterator[tuple[str, dict[str, str]]]:
    """The sentence on a long step back towards the victim; none if the step was short."""
    if evidence.back is not None and evidence.back >= MIN_TAKEN_BACK:
        yield "evidence.back", {"share": f"{100 * evidence.back:.0f}"}
        if evidence.estimated:
            yield "evidence.back.estimated", {}
