"""The report's short answer: five questions, answered before any evidence, for a reader with one minute.

May it be used? What was found, what was done, what is left, how sure is that? ``answer(say)`` picks the sentences from
a run's facts; the report and the page show them in the same order. Pure: no sentence is softened or raised here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from core.compute.intervals import enough_to_tell
from core.report import repeated
from core.report.advice import ASR_LIMIT, Choice, works
from core.report.facts import GRADES, asr, asr_interval
from core.report.proof import is_refused, later_class
from core.report.wording import Wording

Tone = Literal["good", "wait", "bad"]
PARTS = ("found", "done", "left", "sure")
TONES: dict[Choice, Tone] = {
    "accept": "good", "purified": "good", "purify": "bad", "doubt": "wait", "ungraded": "wait", "again": "bad",
    "refuse": "bad", "open": "wait",
}  # fmt: skip


class Answer(NamedTuple):
    """``use``: whether it may be used, in a few words; ``parts``: name, sentence, for each of ``PARTS``."""

    use: str
    tone: Tone
    parts: list[tuple[str, str]]


def answer(say: Wording) -> Answer:
    """The answer for one run in any state."""
    sentences = (_found(say), _done(say), _left(say), _sure(say))
    parts = [(say(f"answer.{name}"), sentence) for name, sentence in zip(PARTS, sentences, strict=True)]
    return Answer(say.recommendation(), TONES[say.advice.choice], parts)


def _found(say: Wording) -> str:
    facts = say.facts
    if facts.grade in ("none", "skipped") and works(facts):
        return say(f"answer.found.known_{facts.grade}")
    if facts.grade not in GRADES:
        return say(f"report.verdict.{facts.grade}")
    found = facts.scanned.target if facts.scanned else None
    return say(f"answer.found.{facts.grade}", target=say.class_name(found))


def _done(say: Wording) -> str:
    facts = say.facts
    if facts.spec.scan_only:
        return say("answer.done.scanned")
    if not facts.purified:
        return say("answer.done.unfinished")
    kept = facts.held is False or is_refused(facts.proof, facts.spec.accept)
    again = repeated.sentences(facts.purifications, say.words, say.class_name)
    return say.words.joined([say(f"answer.done.{'kept' if kept else 'purified'}"), *again])


def _left(say: Wording) -> str:
    if say.facts.before is None:
        return say("report.figures.waiting")
    if not say.facts.purified:
        return say("answer.left.before")
    said, later = [say("answer.left.after")], later_class(say.facts.proof)
    if later is not None:
        figures = {"target": say.class_name(later.target), "asr": say.words.percent(later.asr)}
        said.append(say("answer.left.further", **figures))
    return say.words.joined(said)


def _sure(say: Wording) -> str:
    """How certain the answer is: the grade of the cure, and the reasons against a better one."""
    facts = say.facts
    if not facts.purified:
        return say(f"answer.sure.scan_{facts.grade if facts.grade in GRADES else 'open'}")
    if "attack_stays" in say.advice.reasons and (few := _few(say)):
        return few
    if facts.cure == "holds":
        tests = [good for good, _ in say.proof()]
        return say("answer.sure.holds", tests=len(tests), passed=sum(tests))
    if facts.cure == "doubt" and facts.proof.reasons[:1] == ("images",):
        return _few(say) or say("proof.images.bare")
    against = [sentence for good, sentence in say.proof() if not good]
    if facts.cure is None or not against:
        return say(f"answer.sure.{facts.cure or 'old'}")
    return say("answer.sure.against", why=against[0])


def _few(say: Wording) -> str | None:
    """What too few test images cannot rule out, and from how many on they could; None where more would not help."""
    after = say.facts.after
    rate, interval = asr(after), asr_interval(after)
    need = None if rate is None else enough_to_tell(rate, ASR_LIMIT)
    if after is not None and interval is not None and need is not None and need > after.triggered_images:
        images, many = say.words.count(after.triggered_images), say.words.count(need)
        return say("answer.sure.images", images=images, need=many)
    return None
