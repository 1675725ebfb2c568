"""The report's block on the cure: the grade, the tests that tried to revive the backdoor, the interpolation as a
curve."""

from __future__ import annotations

from core.report import charts
from core.report.markup import Markup, el
from core.report.proof import Way, way_back
from core.report.wording import Wording
from core.words import Words


def cure(say: Wording) -> Markup | None:
    """The block; None where nothing was purified."""
    said = say.cure()
    if not said:
        return None
    headline, *sentences, step = said
    proof = say.facts.proof
    tried = [el("li", sentence, cls="good" if good else "bad") for good, sentence in say.proof()]
    way = way_back(proof)
    return el(
        "section",
        el("h2", say("cure.title")),
        el(
            "div",
            el(
                "div",
                el("p", charts.grade(proof.state), headline, cls="grade"),
                el("p", say.words.joined(sentences)),
                el("p", el("b", say("cure.next")), say.words.named(say("cure.next"), step)),
            ),
            el("ul", *tried) if tried else None,
            _way(say.words, way) if way else None,
            cls="parts",
        ),
        cls=f"cure {proof.state}",
    )


def way_words(words: Words, way: Way) -> tuple[str, str]:
    """What the curve shows, for those who cannot see it, and how it is to be read."""
    end = f"{100 * max(way.shares):.0f}"
    label = words("proof.path.label", end=end, asr=f"{way.asr[0]:.1f}", last=f"{way.asr[-1]:.1f}")
    return label, words("proof.path.note" if way.ba else "proof.path.note_bare", end=end)


def _way(words: Words, way: Way) -> Markup:
    label, note = way_words(words, way)
    caption = el("figcaption", el("b", words("proof.path.title")), note)
    return el("figure", charts.way(way.shares, way.asr, way.ba, label), caption)
